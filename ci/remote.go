package ci

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/ci/config"
	"signalbox/internal/outbound"
)

const (
	maxRemote     = 1 << 20          // bytes of a file from elsewhere
	remoteWithin  = 10 * time.Second // for a file
	maxRedirects  = 3
	unreachableIn = time.Second // how long it takes at least to say that an address cannot be reached
)

// remote reads files of configurations from elsewhere (`include:remote`).
type remote struct {
	client *http.Client
	after  func(time.Duration) <-chan time.Time
}

func newRemote(privateHosts []string) *remote {
	return &remote{after: time.After, client: &http.Client{
		Transport: outbound.New(privateHosts), Timeout: remoteWithin,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
				return errRedirects
			}
			return nil
		},
	}}
}

var errRedirects = errors.New("too many redirects")

// fetch reads a file. Every address that leads inward is refused by the same words, and not sooner than one where
// nothing listens, so that nobody learns from it what lies in the server's network (facts: ci-yaml 6.7, security 24
// to 26).
func (r *remote) fetch(ctx context.Context, l config.Location) ([]byte, config.Context, error) {
	at := config.Context{Source: l.Name, Alone: true}
	if err := config.CheckRemote(l.Name); err != nil {
		return nil, at, err
	}
	u, err := url.Parse(l.Name)
	if err != nil {
		return nil, at, err
	}
	shown := u.Redacted()
	at.Source = shown
	least := r.after(unreachableIn)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Name, nil)
	if err != nil {
		return nil, at, refuse("Remote file `%s` does not have a valid address!", shown)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, at, unreachable(ctx, shown, err, least)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, at, refuse("Remote file `%s` could not be fetched because of HTTP code `%d` error!", shown, response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxRemote+1))
	switch {
	case err != nil:
		return nil, at, unreachable(ctx, shown, err, least)
	case len(text) > maxRemote:
		return nil, at, refuse("Remote file `%s` is larger than %d bytes", shown, maxRemote)
	case len(strings.TrimSpace(string(text))) == 0:
		return nil, at, refuse("Included file `%s` is empty or does not exist!", shown)
	case !matchesIntegrity(text, l.Integrity):
		return nil, at, refuse("Remote file `%s` integrity check failed!", shown)
	}
	return text, at, nil
}

func unreachable(ctx context.Context, shown string, err error, least <-chan time.Time) error {
	if ctx.Err() != nil && context.Cause(ctx) != errSlowIncludes {
		return ctx.Err()
	}
	text := "Remote file `" + shown + "` could not be fetched because of a socket error!"
	var timeout interface{ Timeout() bool }
	switch {
	case outbound.Blocked(err):
		text = "Remote file could not be fetched because URL is blocked: Requests to localhost are not allowed!"
	case errors.Is(err, errRedirects):
		return refuse("Remote file `%s` could not be fetched because of HTTP error!", shown)
	case errors.As(err, &timeout) && timeout.Timeout(), ctx.Err() != nil:
		return refuse("Remote file `%s` could not be fetched because of a timeout error!", shown)
	}
	select {
	case <-least:
	case <-ctx.Done():
	}
	return &config.Refused{Text: text}
}

// errSlowIncludes ends the reading of all that a configuration includes.
var errSlowIncludes = fmt.Errorf("includes took longer than %s", includesWithin)

// includesWithin bounds the reading of all files of a configuration.
const includesWithin = 30 * time.Second

// matchesIntegrity says whether a text is the one of a hash; "" asks for none.
func matchesIntegrity(text []byte, integrity string) bool {
	hash, ok := strings.CutPrefix(integrity, "sha256-")
	if !ok {
		return integrity == ""
	}
	sum := sha256.Sum256(text)
	return subtle.ConstantTimeCompare([]byte(base64.StdEncoding.EncodeToString(sum[:])), []byte(hash)) == 1
}
