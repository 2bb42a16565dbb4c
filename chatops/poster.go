package chatops

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signalbox/internal/outbound"
)

// errBlocked says that an address leads where replies must not go.
var errBlocked = errors.New("the address leads into a private network; an administrator can allow its host with --private-hosts")

// poster reaches public addresses, and private ones that the administrator named. It follows no redirect: no chat
// needs it.
type poster struct{ client *http.Client }

func newPoster(privateHosts []string, timeout time.Duration) *poster {
	return &poster{&http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     outbound.New(privateHosts),
	}}
}

const maxResponse = 64 << 10

// Do calls a chat once.
func (p *poster) Do(ctx context.Context, q Request) (Response, error) {
	u, err := url.Parse(q.Address)
	if err != nil {
		return Response{}, errors.New("the address cannot be read")
	}
	r, err := http.NewRequestWithContext(ctx, cmp.Or(q.Method, http.MethodPost), q.Address, bytes.NewReader(q.Body))
	if err != nil {
		return Response{}, errors.New("the address cannot be read")
	}
	r.Header.Set("Content-Type", cmp.Or(q.ContentType, "application/json; charset=utf-8"))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", cmp.Or(q.Agent, "signalbox"))
	if q.Authorization != "" {
		r.Header.Set("Authorization", q.Authorization)
	}
	res, err := p.client.Do(r)
	if err != nil {
		return Response{}, safe(err, u.Host)
	}
	defer res.Body.Close()
	out := Response{Status: res.StatusCode}
	if n, err := strconv.ParseFloat(res.Header.Get("Retry-After"), 64); err == nil && n > 0 {
		out.RetryAfter = time.Duration(min(n, 3600) * float64(time.Second))
	}
	out.Body, _ = io.ReadAll(io.LimitReader(res.Body, int64(cmp.Or(q.Most, maxResponse)))) // the status decides
	return out, nil
}

// safe keeps the address, which is a secret, out of errors.
func safe(err error, host string) error {
	if outbound.Blocked(err) {
		return errBlocked
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%s cannot be reached: %w", host, err)
}
