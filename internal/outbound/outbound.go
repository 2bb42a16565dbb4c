// Package outbound reaches addresses that people name, without letting them reach into the network of the server.
package outbound

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Transport reaches public addresses, and the hosts (host or host:port) in private networks that it was given. The
// address is judged when the connection is made, for each redirect again, so that neither a name that changes its
// address nor a redirect leads inward. It uses no proxy of the environment, which would judge in its stead.
type Transport struct {
	public  *http.Transport
	private *http.Transport
	hosts   []string
}

// New makes a transport.
func New(privateHosts []string) *Transport {
	return build(privateHosts, nil)
}

// NewUnverified makes a transport that takes any certificate, for those who ask for that.
func NewUnverified(privateHosts []string) *Transport {
	return build(privateHosts, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // asked for
}

func build(privateHosts []string, verify *tls.Config) *Transport {
	guard := ssrf.New(ssrf.WithAnyPort())
	transport := func(guard *ssrf.Guardian) *http.Transport {
		dialer := &net.Dialer{Timeout: 5 * time.Second}
		if guard != nil {
			dialer.Control = guard.Safe
		}
		return &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: 30 * time.Second,
			ForceAttemptHTTP2: true, TLSClientConfig: verify.Clone(),
		}
	}
	return &Transport{public: transport(guard), private: transport(nil), hosts: privateHosts}
}

// RoundTrip sends a request.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if slices.ContainsFunc(t.hosts, func(h string) bool { return strings.EqualFold(h, r.URL.Host) }) {
		return t.private.RoundTrip(r)
	}
	return t.public.RoundTrip(r)
}

// Blocked says whether an error of a request is that its address leads into a private network.
func Blocked(err error) bool {
	for _, e := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedNetwork, ssrf.ErrProhibitedPort, ssrf.ErrInvalidHostPort} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
