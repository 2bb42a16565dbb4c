package ci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/internal/outbound"
	"signalbox/models"
)

const (
	hookWithin      = 10 * time.Second
	maxHookAttempts = 5
	maxDeliveries   = 3 // under way at a time: slow webhooks must not keep other work waiting
	maxHookBody     = 25 << 20
	maxHookAnswer   = 8 << 10 // bytes of an answer that are kept
	hookLogFor      = 7 * 24 * time.Hour
)

// hookSender posts to webhooks.
type hookSender struct {
	strict, lax *http.Client
}

func newHookSender(privateHosts []string) *hookSender {
	client := func(t *outbound.Transport) *http.Client {
		return &http.Client{Transport: t, Timeout: hookWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &hookSender{strict: client(outbound.New(privateHosts)), lax: client(outbound.NewUnverified(privateHosts))}
}

func hookAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && !strings.ContainsAny(text, "\r\n\t ") && len(text) <= 2048
}

var hookVariable = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9._-]*)\}`)

// filledIn puts url variables into an address.
func filledIn(address string, vars map[string]string) string {
	return hookVariable.ReplaceAllStringFunc(address, func(m string) string {
		if v, ok := vars[m[1:len(m)-1]]; ok {
			return v
		}
		return m
	})
}

// runDeliver makes an attempt at a delivery. What cannot be delivered is tried again a few times; then it stays in the log,
// from where it can be sent once more.
func (c *Coordinator) runDeliver(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	var d *models.WebhookDelivery
	var w *models.Webhook
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if d, err = tx.Delivery(id); err != nil {
			return err
		}
		w, err = tx.Webhook(d.WebhookID)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	if w.DisabledUntil != nil && c.db.Now().Before(*w.DisabledUntil) {
		d.Error = "not sent: too many deliveries failed, and the webhook is disabled for a while"
		return c.db.Write(ctx, func(tx *models.Tx) error { return tx.UpdateDelivery(d) })
	}
	ok, err := c.attempt(ctx, w, d)
	if err != nil {
		return err
	}
	if ok || d.Attempts >= maxHookAttempts {
		return c.noteHook(ctx, w, d, ok)
	}
	if err := c.db.Write(ctx, func(tx *models.Tx) error { return tx.UpdateDelivery(d) }); err != nil {
		return err
	}
	wait := time.Second << (2 * (d.Attempts - 1)) // 1 s, 4 s, 16 s, 64 s
	return &tasks.Later{At: c.db.Now().Add(wait), Reason: fmt.Errorf("delivery %d of webhook %d: %s %s", d.ID, w.ID, d.ResponseStatus, d.Error)}
}

// noteHook stores how a delivery ended. Four that fail in a row disable the webhook for a while, forty for good; one that
// arrives enables it again.
func (c *Coordinator) noteHook(ctx context.Context, w *models.Webhook, d *models.WebhookDelivery, ok bool) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.UpdateDelivery(d); err != nil {
			return err
		}
		fresh, err := tx.Webhook(w.ID)
		if err != nil {
			return notThere(err)
		}
		if ok {
			if fresh.Failures == 0 && fresh.DisabledUntil == nil {
				return nil
			}
			return tx.NoteWebhook(w.ID, 0, nil)
		}
		until := disabledUntil(fresh.Failures+1, tx.Now())
		return tx.NoteWebhook(w.ID, fresh.Failures+1, until)
	})
}

func disabledUntil(failures int, now time.Time) *time.Time {
	const temporarily, forGood = 4, 40
	switch {
	case failures < temporarily:
		return nil
	case failures >= forGood:
		at := now.AddDate(100, 0, 0)
		return &at
	}
	at := now.Add(min(24*time.Hour, time.Minute<<min(failures-temporarily, 20)))
	return &at
}

// HookAlert is what GitLab calls the state of a webhook.
func HookAlert(w *models.Webhook, now time.Time) (status string, until *time.Time) {
	switch {
	case w.DisabledUntil == nil || now.After(*w.DisabledUntil):
		return "executable", nil
	case w.Failures >= 40:
		return "disabled", nil
	}
	return "temporarily_disabled", w.DisabledUntil
}

// attempt posts a delivery once and notes in it what came back. ok says whether it arrived.
func (c *Coordinator) attempt(ctx context.Context, w *models.Webhook, d *models.WebhookDelivery) (ok bool, err error) {
	vars, err := c.hookMap(w, "url_variables")
	if err != nil {
		return false, err
	}
	headers, err := c.hookMap(w, "custom_headers")
	if err != nil {
		return false, err
	}
	token := ""
	if !w.Token.Empty() {
		if token, err = c.keys.Open(w.Place("token"), w.Token); err != nil {
			return false, err
		}
	}
	body, err := c.DeliveryBody(d)
	if err != nil {
		return false, err
	}
	d.Attempts++
	d.ResponseStatus, d.ResponseBody, d.Error, d.ResponseHeaders = "internal error", "", "", map[string]string{}
	d.URL, d.RequestHeaders = HiddenURL(w.URL), map[string]string{}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, filledIn(w.URL, vars), strings.NewReader(body))
	if err != nil {
		d.Error = "the address cannot be used"
		return false, nil
	}
	for key, value := range headers {
		request.Header.Set(key, value)
		d.RequestHeaders[key] = "[REDACTED]"
	}
	for key, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "GitLab/" + Version, "Idempotency-Key": d.Key, "X-Gitlab-Event": hookHeader[d.Event],
		"X-Gitlab-Webhook-UUID": uuid.NewString(), "X-Gitlab-Event-UUID": d.EventUUID, "X-Gitlab-Instance": c.settings.URL,
	} {
		request.Header.Set(key, value)
		d.RequestHeaders[key] = value
	}
	if token != "" {
		request.Header.Set("X-Gitlab-Token", strings.NewReplacer("\r", "", "\n", "").Replace(token))
		d.RequestHeaders["X-Gitlab-Token"] = "[REDACTED]"
	}
	client := c.sender.strict
	if !w.SSLVerification {
		client = c.sender.lax
	}
	began := time.Now()
	response, err := client.Do(request)
	d.Duration = time.Since(began).Seconds()
	if err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		d.Error = hookFailure(err)
		return false, nil
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxHookAnswer))
	if err != nil {
		d.Error = hookFailure(err)
	}
	d.ResponseStatus, d.ResponseBody = strconv.Itoa(response.StatusCode), strings.ToValidUTF8(strings.ReplaceAll(string(answer), "\x00", ""), "\uFFFD")
	for key := range response.Header {
		d.ResponseHeaders[key] = response.Header.Get(key)
	}
	return response.StatusCode < 400, nil
}

// hookFailure says what went wrong without telling what lies in the server's network.
func hookFailure(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case outbound.Blocked(err):
		return "URL is blocked: Requests to the local network are not allowed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the address did not answer in time"
	}
	return "the address cannot be reached"
}

// HiddenURL is an address without its password.
func HiddenURL(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	return text
}

// TestHook tells a webhook of the newest thing of a kind, at once, and gives the delivery. It is refused if there is
// nothing of the kind.
func (c *Coordinator) TestHook(ctx context.Context, w *models.Webhook, event string, by *models.User) (*models.WebhookDelivery, error) {
	h := happening{Event: event, Project: w.ProjectID, UUID: uuid.NewString(), At: c.db.Now(), User: by.ID}
	if err := c.sample(ctx, &h); err != nil {
		return nil, err
	}
	body, err := c.payload(ctx, h)
	if err != nil {
		return nil, err
	}
	d := c.delivery(w, h, body)
	if err := c.db.Write(ctx, func(tx *models.Tx) error {
		_, err := tx.AddDelivery(d)
		return err
	}); err != nil {
		return nil, err
	}
	return d, c.sendNow(ctx, w, d)
}

// ResendHook makes a delivery once more, with the same id.
func (c *Coordinator) ResendHook(ctx context.Context, w *models.Webhook, id int64) (d *models.WebhookDelivery, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		if d, err = tx.Delivery(id); err == nil && d.WebhookID != w.ID {
			err = models.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, notFound(err, "")
	}
	return d, c.sendNow(ctx, w, d)
}

func (c *Coordinator) sendNow(ctx context.Context, w *models.Webhook, d *models.WebhookDelivery) error {
	ok, err := c.attempt(ctx, w, d)
	if err != nil {
		return err
	}
	if err := c.noteHook(ctx, w, d, ok); err != nil || ok {
		return err
	}
	return fault.New(fault.Unprocessable, "%s", strings.TrimSpace(d.ResponseStatus+" "+d.Error))
}

// tidyHooks removes old entries from the log of deliveries.
func (c *Coordinator) tidyHooks(ctx context.Context) error {
	stale := false
	before := c.db.Now().Add(-hookLogFor)
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		stale, err = tx.HasOldDeliveries(before)
		return err
	})
	if err != nil || !stale {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		_, err := tx.DeleteOldDeliveries(before, sweepBatch)
		return err
	})
}
