package app

import (
	"net/http"
	"net/netip"
	"strings"

	"signalbox/api/git"
	"signalbox/internal/httpapi"
	"signalbox/internal/limit"
)

// inFlight is how many requests of one address are worked on at a time. The others wait for them, so that those of other
// addresses do not.
const inFlight = 256

// bounded counts the requests of each address while they are worked on.
func bounded(crowd *limit.Places, trusted []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, isGit := git.Split(r.URL.Path); isGit {
			next.ServeHTTP(w, r)
			return
		}
		give, err := crowd.Take(r.Context(), httpapi.Network(httpapi.Address(r, trusted)).String())
		if err != nil {
			return // nobody waits for the answer
		}
		defer give()
		if heldOpen(r) {
			httpapi.AwaitBody(r)
			give()
		}
		next.ServeHTTP(w, r)
	})
}

// heldOpen says whether a request waits for something to happen. Those are counted only until their body is there: a company's
// runners may have one address. Live pages are bounded by themselves (web/streams.go), and git counts its clients itself.
func heldOpen(r *http.Request) bool {
	if r.URL.Path == "/api/v4/jobs/request" {
		return true
	}
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/live") && !strings.HasPrefix(r.URL.Path, "/api/")
}
