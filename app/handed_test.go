package app

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"signalbox/models"
)

// TestIDTokens are checked as another system would: with the keys that the discovery document names.
func TestIDTokens(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		w.newProject("app")
		w.must(201, "POST", "/projects/"+w.project+"/protected_environments", map[string]any{"name": "guarded", "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
		w.push("app", map[string]string{".gitlab-ci.yml": `
job:
  script: x
  timeout: 20 minutes
  environment: production
  id_tokens: {VAULT: {aud: https://vault.example.com}, TWO: {aud: [a, $CI_PROJECT_PATH]}}
guarded: {script: x, environment: guarded, id_tokens: {VAULT: {aud: x}}}
`})
		w.settled()
		id := w.newest()
		job := w.jobs(id)["job"].ID
		var doc struct {
			Issuer string
			Keys   string `json:"jwks_uri"`
		}
		read := func(address string, into any) {
			t.Helper()
			res, err := http.Get(address)
			noError(t, err)
			defer res.Body.Close()
			noError(t, json.NewDecoder(res.Body).Decode(into))
		}
		read(w.node.Local+"/.well-known/openid-configuration", &doc)
		var keys jose.JSONWebKeySet
		read(doc.Keys, &keys)
		if len(keys.Keys) != 1 || !keys.Keys[0].IsPublic() {
			t.Fatalf("keys %+v", keys)
		}
		token, err := jwt.ParseSigned(h.variable(job, "VAULT"), []jose.SignatureAlgorithm{jose.RS256})
		noError(t, err)
		if token.Headers[0].KeyID != keys.Keys[0].KeyID {
			t.Errorf("kid %q", token.Headers[0].KeyID)
		}
		var claims map[string]any
		noError(t, token.Claims(keys.Keys[0].Key.(*rsa.PublicKey), &claims))
		for key, want := range map[string]any{
			"iss": w.node.URL, "aud": "https://vault.example.com", "sub": "project_path:root/app:ref_type:branch:ref:main", "project_path": "root/app",
			"user_login": "root", "user_access_level": "owner", "pipeline_source": "push", "ref": "main", "ref_path": "refs/heads/main", "ref_protected": "true",
			"environment": "production", "deployment_tier": "production", "job_id": fmt.Sprint(job), "runner_environment": "self-hosted",
			"environment_protected": "false",
		} {
			if claims[key] != want {
				t.Errorf("%s is %v, want %v", key, claims[key], want)
			}
		}
		if life := claims["exp"].(float64) - claims["iat"].(float64); life != 1200 {
			t.Errorf("it lives %v s", life)
		}
		for _, v := range h.offer(job).Variables {
			if v.Key == "VAULT" && (!v.Masked || v.Public) {
				t.Errorf("the token is shown: %+v", v)
			}
		}
		two, err := jwt.ParseSigned(h.variable(job, "TWO"), []jose.SignatureAlgorithm{jose.RS256})
		noError(t, err)
		noError(t, two.Claims(keys.Keys[0].Key.(*rsa.PublicKey), &claims))
		if fmt.Sprint(claims["aud"]) != "[a root/app]" {
			t.Errorf("audiences %v", claims["aud"])
		}
		guarded, err := jwt.ParseSigned(h.variable(w.jobs(id)["guarded"].ID, "VAULT"), []jose.SignatureAlgorithm{jose.RS256})
		noError(t, err)
		noError(t, guarded.Claims(keys.Keys[0].Key.(*rsa.PublicKey), &claims))
		if claims["environment_protected"] != "true" {
			t.Errorf("a protected environment is %v", claims["environment_protected"])
		}
		w.down()
		w.up()
		var again jose.JSONWebKeySet
		read(w.node.Local+"/-/jwks", &again)
		if again.Keys[0].KeyID != keys.Keys[0].KeyID {
			t.Error("the key is another after a restart")
		}
	})
}

// TestJobTokensReachOtherProjects only where these let them in, and only as far as their user may.
func TestJobTokensReachOtherProjects(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		lib := w.newProject("lib")
		w.push("lib", map[string]string{".gitlab-ci.yml": "a: {script: x}"})
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		job := w.jobs(id)["job"].ID
		h.run(job)
		status := func(path string) int {
			t.Helper()
			req, _ := http.NewRequest("GET", w.node.Local+"/api/v4"+path, nil)
			req.Header.Set("JOB-TOKEN", h.offer(job).Token)
			res, err := http.DefaultClient.Do(req)
			noError(t, err)
			res.Body.Close()
			return res.StatusCode
		}
		path := fmt.Sprintf("/projects/%d/environments", lib)
		if got := status(path); got != 403 {
			t.Errorf("nobody was let in: %d", got)
		}
		scope := fmt.Sprintf("/projects/%d/job_token_scope", lib)
		w.must(201, "POST", scope+"/allowlist", map[string]any{"target_project_id": w.project}, nil)
		var list []struct{ ID int64 }
		w.must(200, "GET", scope+"/allowlist", nil, &list)
		if got := status(path); got != 200 || len(list) != 2 {
			t.Errorf("let in: %d, %v", got, list)
		}
		if got := status(fmt.Sprintf("/projects/%d/variables", lib)); got == 200 {
			t.Error("a job token reads variables")
		}
		w.must(204, "DELETE", scope+"/allowlist/"+w.project, nil, nil)
		if got := status(path); got != 403 {
			t.Errorf("let in no longer: %d", got)
		}
		var group struct{ ID int64 }
		w.must(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, &group)
		w.must(201, "POST", scope+"/groups_allowlist", map[string]any{"target_group_id": group.ID}, nil)
		if got := status(path); got != 403 {
			t.Errorf("another group is let in: %d", got)
		}
		var tool struct{ ID int64 }
		w.must(201, "POST", "/projects", map[string]any{"path": "tool", "namespace_id": group.ID}, &tool)
		app := w.project
		w.project = fmt.Sprint(tool.ID)
		w.push("team/tool", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		own := job
		job = w.jobs(w.newest())["job"].ID
		h.run(job)
		if got := status(path); got != 200 {
			t.Errorf("its group is let in: %d", got)
		}
		job, w.project = own, app

		dev, token := w.user("dev")
		w.must(201, "POST", fmt.Sprintf("/projects/%d/members", lib), map[string]any{"user_id": dev, "access_level": 40}, nil)
		for _, hidden := range []map[string]any{{"target_project_id": w.project}, {"target_group_id": group.ID}} {
			place := scope + "/allowlist"
			if hidden["target_group_id"] != nil {
				place = scope + "/groups_allowlist"
			}
			if got := w.apiAs(token, "POST", place, hidden, nil); got != 404 {
				t.Errorf("%s lets in what its caller does not see: %d", place, got)
			}
		}
		w.must(204, "DELETE", fmt.Sprintf("%s/groups_allowlist/%d", scope, group.ID), nil, nil)
		w.must(204, "PATCH", scope, map[string]any{"enabled": false}, nil)
		var set struct {
			Inbound bool `json:"inbound_enabled"`
		}
		w.must(200, "GET", scope, nil, &set)
		if got := status(path); got != 200 || set.Inbound {
			t.Errorf("everybody is let in: %d %+v", got, set)
		}
		h.success(job)
		if got := status(path); got != 401 {
			t.Errorf("the token of a job that ended: %d", got)
		}
	})
}

// TestReleases are made by jobs and by the API, each tag once.
func TestReleases(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		id := w.pushed("app", map[string]string{"CHANGES.md": "All new.\n", ".gitlab-ci.yml": `
workflow: {rules: [{if: $CI_COMMIT_BRANCH}]}
publish:
  script: x
  variables: {NUMBER: "3"}
  release:
    tag_name: v1.$NUMBER
    name: Release $NUMBER
    description: ./CHANGES.md
    tag_message: made by a job
    assets: {links: [{name: docs, url: "https://example.com/$NUMBER"}]}
`})
		job := w.jobs(id)["publish"].ID
		h.success(job)
		var r struct {
			Tag         string `json:"tag_name"`
			Name        string
			Description string
			Commit      struct{ ID string }
			Author      struct{ Username string }
			Assets      struct {
				Links []struct{ Name, URL string }
			}
		}
		base := "/projects/" + w.project + "/releases"
		w.must(200, "GET", base+"/v1.3", nil, &r)
		if r.Name != "Release 3" || r.Description != "All new.\n" || r.Author.Username != "root" || fmt.Sprint(r.Assets.Links) != "[{docs https://example.com/3}]" {
			t.Errorf("release %+v", r)
		}
		var tag struct {
			Message string
			Release struct {
				Tag string `json:"tag_name"`
			}
			Commit struct{ ID string }
		}
		w.must(200, "GET", "/projects/"+w.project+"/repository/tags/v1.3", nil, &tag)
		if tag.Message != "made by a job" || tag.Release.Tag != "v1.3" || tag.Commit.ID != r.Commit.ID {
			t.Errorf("tag %+v", tag)
		}
		again := w.act(job, "retry")
		h.success(again.ID)
		if j := w.jobs(id)["publish"]; j.Status != "failed" {
			t.Errorf("the same tag again: %+v", j)
		}
		if _, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/jobs/%d", again.ID)); !strings.Contains(page, "Release already exists") {
			t.Errorf("the page does not say why: %s", page)
		}
		w.must(201, "POST", base, map[string]any{"tag_name": "v2", "ref": "main", "description": "second"}, nil)
		w.must(409, "POST", base, map[string]any{"tag_name": "v2", "ref": "main"}, nil)
		w.must(400, "POST", base, map[string]any{"tag_name": "v3"}, nil)
		w.must(200, "GET", base+"/permalink/latest", nil, &r)
		if r.Tag != "v2" {
			t.Errorf("latest %+v", r)
		}
		w.must(200, "PUT", base+"/v2", map[string]any{"name": "Two"}, nil)
		w.must(200, "DELETE", base+"/v2", nil, nil)
		w.must(404, "GET", base+"/v2", nil, nil)
		w.must(200, "GET", "/projects/"+w.project+"/repository/tags/v2", nil, nil)

		dev, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
		w.must(201, "POST", "/projects/"+w.project+"/protected_tags", map[string]any{"name": "v*"}, nil)
		for _, r := range []struct{ method, path string }{{"POST", ""}, {"PUT", "/v1.3"}, {"DELETE", "/v1.3"}} {
			if got := w.apiAs(token, r.method, base+r.path, map[string]any{"tag_name": "v9", "ref": "main", "name": "mine"}, nil); got != 403 {
				t.Errorf("%s of a protected tag's release by a developer: %d", r.method, got)
			}
		}
		if got := w.apiAs(token, "POST", base, map[string]any{"tag_name": "other", "ref": "main"}, nil); got != 201 {
			t.Errorf("a release of another tag by a developer: %d", got)
		}
	})
}
