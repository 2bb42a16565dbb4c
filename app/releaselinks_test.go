package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"signalbox/models"
)

type linkJSON struct {
	ID     int64
	Name   string
	URL    string
	Direct string `json:"direct_asset_url"`
	Type   string `json:"link_type"`
}

// TestReleaseLinks come, change and go one by one, and each keeps an id of its own.
func TestReleaseLinks(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		w.push("app", map[string]string{"README.md": "x"})
		releases := "/projects/" + w.project + "/releases"
		w.refused(400, "POST", releases, map[string]any{"tag_name": "v1", "ref": "main", "assets": map[string]any{"links": []any{map[string]any{"name": "a", "url": "file:///etc/passwd"}}}},
			`{"message":"Links url is blocked: Only allowed schemes are http, https, ftp"}`)
		w.must(201, "POST", releases, map[string]any{"tag_name": "v1", "ref": "main", "assets": map[string]any{"links": []any{
			map[string]any{"name": "first", "url": "https://example.com/1"}, map[string]any{"name": "second", "url": "https://example.com/2"},
		}}}, nil)
		path := releases + "/v1/assets/links"
		list := func() (out []linkJSON) {
			t.Helper()
			w.must(200, "GET", path, nil, &out)
			return out
		}
		add := func(more map[string]any) (l linkJSON) {
			t.Helper()
			w.must(201, "POST", path, more, &l)
			return l
		}
		one := func(id int64) string { return fmt.Sprintf("%s/%d", path, id) }

		binary := add(map[string]any{"name": "binary", "url": "ftp://example.com/app", "direct_asset_path": "/bin/app-1.0.tar.gz", "link_type": "package"})
		if binary.Type != "package" || binary.Direct != w.node.URL+"/root/app/-/releases/v1/downloads/bin/app-1.0.tar.gz" {
			t.Errorf("made %+v", binary)
		}
		if got := list(); len(got) != 3 || got[0] != binary || got[1].Name != "second" || got[2].Name != "first" || got[2].Direct != got[2].URL || got[2].Type != "other" {
			t.Errorf("the newest is first: %+v", got)
		}
		var page []linkJSON
		w.must(200, "GET", path+"?per_page=1&page=2", nil, &page)
		if len(page) != 1 || page[0].Name != "second" {
			t.Errorf("second page %+v", page)
		}
		v := w.visitor("root", "root-password")
		v.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res, err := v.c.Get(w.node.Local + "/root/app/-/releases/v1/downloads/bin/app-1.0.tar.gz")
		noError(t, err)
		res.Body.Close()
		if at := res.Header.Get("Location"); res.StatusCode != 302 || at != "ftp://example.com/app" {
			t.Errorf("download: %d %s", res.StatusCode, at)
		}
		if status, _, _ := v.get("/root/app/-/releases/v1/downloads/bin/other"); status != 404 {
			t.Errorf("no such download: %d", status)
		}

		for _, c := range []struct {
			body map[string]any
			want string
		}{
			{nil, `{"error":"name is missing, url is missing"}`},
			{map[string]any{"name": "x", "url": "https://x.example.com", "link_type": "video"}, `{"error":"link_type does not have a valid value"}`},
			{map[string]any{"name": "first", "url": "https://example.com/1"}, `{"message":["Url has already been taken","Name has already been taken"]}`},
			{map[string]any{"name": "", "url": ""}, `{"message":["Url can't be blank","Url must be a valid URL","Name can't be blank"]}`},
			{map[string]any{"name": "x", "url": "javascript:alert(1)"}, `{"message":["Url is blocked: Only allowed schemes are http, https, ftp"]}`},
			{map[string]any{"name": "x", "url": "https://x.example.com", "filepath": "/bin/app-1.0.tar.gz"}, `{"message":["Filepath has already been taken"]}`},
			{map[string]any{"name": "x", "url": "https://x.example.com", "direct_asset_path": "bin/x"}, `{"message":["Filepath is in an invalid format"]}`},
			{map[string]any{"name": "x", "url": "https://x.example.com", "direct_asset_path": "/bin//x"}, `{"message":["Filepath is in an invalid format"]}`},
			{map[string]any{"name": "x", "url": "https://x.example.com", "direct_asset_path": "/" + strings.Repeat("x", 128)}, `{"message":["Filepath is too long (maximum is 128 characters)"]}`},
		} {
			w.refused(400, "POST", path, c.body, c.want)
		}

		var l linkJSON
		w.must(200, "GET", one(binary.ID), nil, &l)
		if l != binary {
			t.Errorf("read %+v", l)
		}
		w.must(200, "PUT", one(binary.ID), map[string]any{"name": "archive"}, &l)
		if l.Name != "archive" || l.URL != binary.URL || l.Direct != binary.Direct || l.Type != "other" {
			t.Errorf("changed %+v", l)
		}
		w.refused(400, "PUT", one(binary.ID), map[string]any{"link_type": "image"}, `{"error":"name, url are missing, at least one parameter must be provided"}`)
		w.refused(400, "PUT", one(binary.ID), map[string]any{"name": "first"}, `{"message":["Name has already been taken"]}`)
		w.must(200, "PUT", one(binary.ID), map[string]any{"url": " https://example.com/app ", "link_type": "image"}, &l)
		if l.URL != "https://example.com/app" || l.Type != "image" {
			t.Errorf("changed again %+v", l)
		}
		w.must(200, "PUT", releases+"/v1", map[string]any{"description": "Links stay."}, nil)
		w.refused(404, "GET", path+"/4711", nil, `{"message":"404 Not found"}`)
		w.refused(404, "GET", releases+"/v2/assets/links", nil, `{"message":"404 Not found"}`)
		var gone linkJSON
		w.must(200, "DELETE", one(binary.ID), nil, &gone)
		if gone != l || len(list()) != 2 {
			t.Errorf("deleted %+v, left %+v", gone, list())
		}
		w.refused(404, "DELETE", one(binary.ID), nil, `{"message":"404 Not found"}`)
		if again := add(map[string]any{"name": "binary", "url": "https://example.com/app"}); again.ID <= binary.ID {
			t.Errorf("an id comes twice: %+v", again)
		}

		dev, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
		more := map[string]any{"name": "more", "url": "https://example.com/more"}
		if got := w.apiAs(token, "POST", path, more, &l); got != 201 {
			t.Fatalf("added by a developer: %d", got)
		}
		w.must(201, "POST", "/projects/"+w.project+"/protected_tags", map[string]any{"name": "v*"}, nil)
		for _, method := range []string{"PUT", "DELETE"} {
			if got := w.apiAs(token, method, one(l.ID), more, nil); got != 403 {
				t.Errorf("%s of a protected tag's link: %d", method, got)
			}
		}
		if got := w.apiAs(token, "GET", one(l.ID), nil, nil); got != 200 {
			t.Errorf("read by a developer: %d", got)
		}
	})
}
