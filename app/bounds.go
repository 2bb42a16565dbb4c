package app

import (
	"net/http"
	"net/netip"

	"signalbox/api/git"
	"signalbox/internal/httpapi"
	"signalbox/internal/limit"
)

// inFlight is how many requests of one address are worked on at a time. The others wait for them, so that those of other
// addresses do not.
const inFlight = 256

// bounded counts the requests of each address while they are worked on. One that waits for something to happen is counted only
// until it waits: a runner's request for a job until its body is there, a live page until it has a place of its own
// (web/streams.go). Git counts its clients itself.
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
		if r.URL.Path == "/api/v4/jobs/request" { // it waits for a job, and a company's runners may have one address
			httpapi.AwaitBody(r)
			give()
		}
		next.ServeHTTP(w, httpapi.Counted(r, give))
	})
}
