package ci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signalbox/ci/config"
)

// reader is a remote that may read from these hosts and counts how often it waited before it said no.
func reader(waited *int, hosts ...string) *remote {
	r := newRemote(hosts)
	r.after = func(time.Duration) <-chan time.Time {
		c := make(chan time.Time, 1)
		c <- time.Time{}
		*waited++
		return c
	}
	return r
}

func TestRemoteFiles(t *testing.T) {
	const text = "a: {script: x}\n"
	mux := http.NewServeMux()
	mux.HandleFunc("/a.yml", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Error("a remote include carries a credential")
		}
		w.Write([]byte(text))
	})
	mux.HandleFunc("/empty.yml", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/large.yml", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("#"), maxRemote+1)) })
	mux.HandleFunc("/loop.yml", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop.yml", http.StatusFound) })
	mux.HandleFunc("/moved.yml", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a.yml", http.StatusFound) })
	mux.HandleFunc("/file.yml", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	mux.HandleFunc("/inward.yml", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://localhost:"+strings.Split(r.Host, ":")[1]+"/a.yml", http.StatusFound)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	sum := sha256.Sum256([]byte(text))
	right := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	wrong := "sha256-" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, tc := range []struct{ path, integrity, want string }{
		{"/a.yml", "", ""},
		{"/a.yml", right, ""},
		{"/moved.yml", "", ""},
		{"/a.yml", wrong, "integrity"},
		{"/none.yml", "", "HTTP code `404` error!"},
		{"/empty.yml", "", "is empty or does not exist!"},
		{"/large.yml", "", "larger than"},
		{"/loop.yml", "", "HTTP error!"},
		{"/file.yml", "", "HTTP error!"},
		{"/inward.yml", "", "URL is blocked"},
	} {
		waited := 0
		r := reader(&waited, strings.TrimPrefix(s.URL, "http://"))
		got, at, err := r.fetch(t.Context(), config.Location{Kind: "remote", Name: s.URL + tc.path, Integrity: tc.integrity})
		switch {
		case tc.want == "" && (err != nil || string(got) != text || !at.Alone):
			t.Errorf("%s %s: %q, %+v, %v", tc.path, tc.integrity, got, at, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s %s: %v, want %q", tc.path, tc.integrity, err, tc.want)
		}
	}
}

// TestRemoteFilesReachNothingInside: what is inside, what does not listen and what has no address are told by the
// same words and after the same wait.
func TestRemoteFilesReachNothingInside(t *testing.T) {
	reached := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer s.Close()
	port := strings.TrimPrefix(s.URL, "http://127.0.0.1")
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	for _, u := range []string{
		s.URL, "http://localhost" + port, "http://[::1]" + port, "http://[::ffff:127.0.0.1]" + port, "http://0.0.0.0" + port,
		"http://" + dead.Addr().String(), "http://169.254.169.254", "http://10.0.0.1", "http://100.64.0.1", "http://[fd00::1]",
		"http://192.168.0.1", "http://[64:ff9b::7f00:1]",
	} {
		waited := 0
		_, _, err := reader(&waited).fetch(t.Context(), config.Location{Kind: "remote", Name: u + "/a.yml"})
		var refused *config.Refused
		if want := "Remote file could not be fetched because URL is blocked: Requests to localhost are not allowed!"; !errors.As(err, &refused) || refused.Text != want {
			t.Errorf("%s: %v", u, err)
		}
		if waited != 1 {
			t.Errorf("%s: waited %d times", u, waited)
		}
	}
	for _, u := range []string{"http://2130706433" + port, "http://0x7f.1" + port, "http://nothing.invalid"} {
		waited := 0
		_, _, err := reader(&waited).fetch(t.Context(), config.Location{Kind: "remote", Name: u + "/a.yml"})
		if err == nil || !strings.Contains(err.Error(), "error!") && !strings.Contains(err.Error(), "blocked") || waited != 1 {
			t.Errorf("%s: %v, waited %d times", u, err, waited)
		}
	}
	if reached {
		t.Error("an internal server was reached")
	}
	for _, u := range []string{"ftp://x/a.yml", "file:///etc/a.yml", "http:///a.yml", "http://x/a b.yml", "gopher://x/a.yml", "http://x/\r\nHost: y/a.yml"} {
		waited := 0
		if _, _, err := reader(&waited).fetch(t.Context(), config.Location{Kind: "remote", Name: u}); err == nil || !strings.Contains(err.Error(), "does not have a valid address!") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// TestARemoteFileThatNeverComes ends by the time of all includes, and is no answer if the asker went away.
func TestARemoteFileThatNeverComes(t *testing.T) {
	hung := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung }))
	defer s.Close()
	defer close(hung)
	waited := 0
	r := reader(&waited, strings.TrimPrefix(s.URL, "http://"))
	l := config.Location{Kind: "remote", Name: s.URL + "/a.yml"}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errSlowIncludes)
	if _, _, err := r.fetch(ctx, l); err == nil || !strings.Contains(err.Error(), "timeout error!") {
		t.Errorf("the time is up: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := r.fetch(gone, l); !errors.Is(err, context.Canceled) {
		t.Errorf("the asker went away: %v", err)
	}
	r.client.Timeout = time.Millisecond
	if _, _, err := r.fetch(t.Context(), l); err == nil || !strings.Contains(err.Error(), "timeout error!") {
		t.Errorf("it never answers: %v", err)
	}
}
