package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestRepliesGoToNoInternalHost: an address for the reply on a host that the integration does not name, or that lies in a network
// of ours, is never called, and the person is told.
func TestRepliesGoToNoInternalHost(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		var calls atomic.Int64
		inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
		t.Cleanup(inside.Close)
		host := strings.TrimPrefix(inside.URL, "http://")
		f := w.form(s, "U1", "run hello-world")
		f.Set("response_url", inside.URL+"/hooks/1")
		if _, text := w.send(s, f, nil); !strings.Contains(text, "does not allow replies to "+host) {
			t.Errorf("acknowledgement %q", text)
		}
		c := w.command("undeliverable")
		if c.Reply == nil || c.DeliveryError == nil || !strings.Contains(*c.DeliveryError, "does not allow replies to "+host) {
			t.Errorf("%+v", c)
		}

		// Named by a maintainer, it is still in a network of ours.
		w.integrate(s, map[string]any{"reply_hosts": append([]string{host}, w.hosts...)})
		f = w.form(s, "U1", "run hello-world again")
		f.Set("response_url", inside.URL+"/hooks/2")
		if status, text := w.send(s, f, nil); status != 200 || !strings.Contains(text, "was started") {
			t.Fatalf("%d %s", status, text)
		}
		if c := w.command("undeliverable"); c.DeliveryError == nil || !strings.Contains(*c.DeliveryError, "private network") {
			t.Errorf("%+v", c)
		}
		if n := calls.Load(); n != 0 {
			t.Errorf("the server inside was called %d times", n)
		}
	})
}

// TestPeopleOfChatsChange: who is renamed stays linked; who is deleted speaks for nobody, and whoever comes next in the chat is
// asked to connect.
func TestPeopleOfChatsChange(t *testing.T) {
	eachChat(t, pageConfig+"\nwho:\n  stage: chatops\n  script: echo \"$GITLAB_USER_LOGIN\"\n", func(t *testing.T, w *world, s chatSide) {
		var people []struct{ ID int64 }
		w.must(200, "GET", "/users?username=anna", nil, &people)
		user := fmt.Sprintf("/users/%d", people[0].ID)
		w.must(200, "PUT", user, map[string]any{"username": "anne"}, nil)
		if got := output(s, w.answer(s, "run who")); got != "anne" {
			t.Errorf("renamed, it runs as %q", got)
		}
		w.must(204, "DELETE", user, nil, nil)
		if _, a := w.say(s, "U1", "run who"); !strings.Contains(a, "connect your signalbox account") {
			t.Errorf("a user who is gone: %q", a)
		}
		if c := w.commands()[0]; c.State != "refused" || c.PipelineID != nil {
			t.Errorf("%+v", c)
		}
	})
}
