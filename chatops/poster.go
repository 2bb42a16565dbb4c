package chatops

import (
	"bytes"
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

// Poster sends a JSON body to a chat.
type Poster interface {
	// PostJSON answers the status and the beginning of the answer's body.
	PostJSON(ctx context.Context, address, token string, body []byte) (int, []byte, error)
}

// Refused says that a chat does not take a message and never will.
type Refused struct{ Reason string }

func (r *Refused) Error() string { return r.Reason }

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

type response struct {
	status     int
	body       []byte
	retryAfter time.Duration
}

const maxResponse = 64 << 10

func (p *poster) send(ctx context.Context, address, token string, body []byte) (response, error) {
	u, err := url.Parse(address)
	if err != nil {
		return response{}, errors.New("the address cannot be read")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return response{}, errors.New("the address cannot be read")
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Accept", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := p.client.Do(r)
	if err != nil {
		return response{}, safe(err, u.Host)
	}
	defer res.Body.Close()
	out := response{status: res.StatusCode}
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
		out.retryAfter = time.Duration(min(n, 3600)) * time.Second
	}
	out.body, _ = io.ReadAll(io.LimitReader(res.Body, maxResponse)) // the status decides
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

// PostJSON posts with a token.
func (p *poster) PostJSON(ctx context.Context, address, token string, body []byte) (int, []byte, error) {
	res, err := p.send(ctx, address, token, body)
	return res.status, res.body, err
}
