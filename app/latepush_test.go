package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"signalbox/models"
)

// slowly is a way to a node on which the second half of each pack comes only after during.
func (w *world) slowly(t *testing.T, during func()) *httptest.Server {
	to, err := url.Parse(w.node.Local)
	noError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	return httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
			whole, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if len(whole) > 4 { // not git's own question whether it may
				in, out := io.Pipe()
				r.Body, r.ContentLength = in, -1
				go func() {
					io.Copy(out, bytes.NewReader(whole[:len(whole)-10]))
					during()
					io.Copy(out, bytes.NewReader(whole[len(whole)-10:]))
					out.Close()
				}()
			}
		}
		proxy.ServeHTTP(rw, r)
	}))
}

// TestALatePushIsJudgedWhenItsPackIsThere: who loses the right to push, or who pushes to a branch that is protected by then,
// changes nothing, although the push began before.
func TestALatePushIsJudgedWhenItsPackIsThere(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{"a": "1"})
	id, token := w.user("ada")
	for name, during := range map[string]func(){
		"member": func() { w.must(204, "DELETE", fmt.Sprintf("/projects/%s/members/%d", w.project, id), nil, nil) },
		"protected": func() {
			w.must(201, "POST", "/projects/"+w.project+"/protected_branches", map[string]any{"name": "protected"}, nil)
		},
		"archived": func() { w.must(201, "POST", "/projects/"+w.project+"/archive", nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			w.api("POST", "/projects/"+w.project+"/unarchive", nil, nil)
			w.api("POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
			way := w.slowly(t, during)
			defer way.Close()
			node := w.node.Local
			w.node.Local = way.URL
			out, err := w.tryPush("root/app", token, name, map[string]string{name: "x"})
			w.node.Local = node
			if err == nil {
				t.Errorf("the push was taken: %s", out)
			}
			if got := w.api("GET", "/projects/"+w.project+"/repository/branches/"+name, nil, nil); got != 404 {
				t.Errorf("the branch: %d", got)
			}
		})
	}
}
