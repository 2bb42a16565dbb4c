package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/models/modelstest"
)

const rootToken = "glpat-test-root-token-0001"

// world is a node with what a test needs around it.
type world struct {
	t       *testing.T
	node    *Node
	s       Settings
	log     *bytes.Buffer
	project string
	chat    *fakeChat
	hosts   []string
	clock   *shiftingClock
	sent    int // commands of the forms of fakeChat
}

type option func(*Settings)

// start brings up a node on the given database.
func start(t *testing.T, o models.Options, options ...option) *world {
	t.Helper()
	dir := t.TempDir()
	open(t, dir)
	w := &world{t: t, chat: newFakeChat(t), log: &bytes.Buffer{}, clock: &shiftingClock{}}
	u, err := url.Parse(w.chat.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.hosts = []string{u.Host}
	w.s = Settings{
		Listen: "127.0.0.1:0", Data: filepath.Join(dir, "data"), DatabaseURL: o.URL, LogLevel: "debug", LogFormat: "text", PrivateHosts: w.hosts,
		RootPassword: "root-password", RootToken: rootToken, SlackAPI: w.chat.URL + "/api", HoldPolls: 5 * time.Second,
	}
	if o.URL != "" {
		w.s.Repositories, w.s.SecretKeyFile = filepath.Join(dir, "repositories"), filepath.Join(dir, "key")
		if err := os.WriteFile(w.s.SecretKeyFile, []byte("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if w.s.RunnerUser, err = UnprivilegedUser(); err != nil {
		t.Fatal(err)
	}
	w.s.Now = w.clock.now
	for _, set := range options {
		set(&w.s)
	}
	if o.URL == "" {
		if err := os.MkdirAll(w.s.Data, 0o711); err != nil {
			t.Fatal(err)
		}
		modelstest.SQLite(t, w.s.Data)
	}
	w.up()
	t.Cleanup(func() {
		if w.node != nil {
			w.down()
		}
		if t.Failed() {
			t.Logf("log of the node:\n%s", tailOf(w.log.String(), 6000))
		}
	})
	return w
}

func tailOf(s string, n int) string { return s[max(0, len(s)-n):] }

// open lets another user pass through the folders of a test.
func open(t *testing.T, dir string) {
	t.Helper()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (w *world) up() {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(&lockedWriter{w: w.log}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	n, err := Start(context.Background(), w.s, log)
	if err != nil {
		w.t.Fatal(err)
	}
	w.node = n
}

func (w *world) down() {
	w.t.Helper()
	if err := w.node.Close(); err != nil {
		w.t.Error(err)
	}
	w.node = nil
}

func (w *world) runner() {
	w.t.Helper()
	if err := w.node.StartRunner(2); err != nil {
		w.t.Fatal(err)
	}
}

// api calls the REST API as root and decodes the answer into a value.
func (w *world) api(method, path string, body any, into any) int {
	w.t.Helper()
	return w.apiAs(rootToken, method, path, body, into)
}

func (w *world) apiAs(token, method, path string, body any, into any) int {
	w.t.Helper()
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, w.node.Local+"/api/v4"+path, r)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("PRIVATE-TOKEN", token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	if into != nil && len(raw) > 0 {
		if err := json.Unmarshal(raw, into); err != nil {
			w.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
		}
	}
	return res.StatusCode
}

// must calls the API and wants a status.
func (w *world) must(status int, method, path string, body any, into any) {
	w.t.Helper()
	var raw json.RawMessage
	if got := w.api(method, path, body, &raw); got != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", method, path, got, status, raw)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			w.t.Fatal(err)
		}
	}
}

// user makes a user with a token.
func (w *world) user(name string) (id int64, token string) {
	w.t.Helper()
	var u, tok struct {
		ID    int64
		Token string
	}
	w.must(201, "POST", "/users", map[string]any{"username": name, "name": strings.ToUpper(name[:1]) + name[1:], "email": name + "@example.com", "password": name + "-password"}, &u)
	w.must(201, "POST", fmt.Sprintf("/users/%d/personal_access_tokens", u.ID), map[string]any{"name": "t", "scopes": []string{"api"}}, &tok)
	return u.ID, tok.Token
}

// newProject makes a project of root's and remembers it.
func (w *world) newProject(path string) int64 {
	w.t.Helper()
	var p struct{ ID int64 }
	w.must(201, "POST", "/projects", map[string]any{"path": path}, &p)
	w.project = fmt.Sprint(p.ID)
	return p.ID
}

// push commits files to a branch of root's project and pushes it.
func (w *world) push(path string, files map[string]string) string {
	w.t.Helper()
	out, err := w.tryPush(path, rootToken, "main", files)
	if err != nil {
		w.t.Fatalf("push: %v: %s", err, out)
	}
	return out
}

func (w *world) tryPush(path, token, ref string, files map[string]string, args ...string) (string, error) {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "work")
	if !strings.Contains(path, "/") {
		path = "root/" + path
	}
	address := strings.Replace(w.node.Local, "http://", "http://oauth2:"+token+"@", 1) + "/" + path + ".git"
	script := `set -e
git clone -q "$1" "$2" 2>/dev/null || git init -q "$2"
cd "$2"
git checkout -q -B "$3" 2>/dev/null || git checkout -q --orphan "$3"; cp -r "$4"/. .; git add -A; git commit -q --allow-empty -m "Change"; shift 4
git push -q "$@" 2>&1`
	src := filepath.Join(w.t.TempDir(), "src")
	for name, text := range files {
		file := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			w.t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := os.MkdirAll(src, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if len(args) == 0 {
		args = []string{address, "HEAD:refs/heads/" + ref}
	} else {
		args = append([]string{}, append(args[:len(args):len(args)], address, "HEAD:refs/heads/"+ref)...)
	}
	cmd := exec.Command("bash", append([]string{"-c", script, "x", address, dir, ref, src}, args...)...)
	cmd.Env = gitEnv(w.t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// gitEnv lets git work as Root, with nothing of the machine's own settings.
func gitEnv(home string) []string {
	return append(os.Environ(), "HOME="+home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Root", "GIT_AUTHOR_EMAIL=root@example.com", "GIT_COMMITTER_NAME=Root", "GIT_COMMITTER_EMAIL=root@example.com")
}

const patience = 30 * time.Second

// eventually waits until a condition holds, looking again whenever something may have changed.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
}

type pipelineJSON struct {
	Duration   *int64
	ID         int64
	Status     string
	Source     string
	Ref        string
	YAMLErrors *string `json:"yaml_errors"`
}

type jobJSON struct {
	ID            int64
	Name          string
	Status        string
	FailureReason string `json:"failure_reason"`
	User          struct{ Username string }
}

func (w *world) pipelines() []pipelineJSON {
	w.t.Helper()
	var out []pipelineJSON
	w.must(200, "GET", "/projects/"+w.project+"/pipelines?per_page=100", nil, &out)
	return out
}

func (w *world) jobs(pipeline int64) map[string]jobJSON {
	w.t.Helper()
	var list []jobJSON
	w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/jobs?per_page=100", w.project, pipeline), nil, &list)
	out := map[string]jobJSON{}
	for _, j := range list {
		out[j.Name] = j
	}
	return out
}

func (w *world) trace(job int64) string {
	w.t.Helper()
	req, _ := http.NewRequest("GET", fmt.Sprintf("%s/api/v4/projects/%s/jobs/%d/trace", w.node.Local, w.project, job), nil)
	req.Header.Set("PRIVATE-TOKEN", rootToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return string(raw)
}

// pipeline waits for the newest pipeline to reach a status.
func (w *world) pipeline(status string) pipelineJSON {
	w.t.Helper()
	var last pipelineJSON
	w.eventually("a pipeline that is "+status, func() bool {
		all := w.pipelines()
		if len(all) == 0 {
			return false
		}
		last = all[0]
		return last.Status == status
	})
	return last
}

// fakeChat stands for the servers of Slack and Mattermost, which cannot run here.
type fakeChat struct {
	*httptest.Server
	mu     sync.Mutex
	posts  []post
	answer func(n int) int // the status of the nth post
}

// hang is an answer that never comes.
const hang = -1

type post struct {
	Path string
	Auth string
	Body map[string]any
}

func newFakeChat(t *testing.T) *fakeChat {
	c := &fakeChat{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		json.Unmarshal(raw, &body)
		c.mu.Lock()
		c.posts = append(c.posts, post{Path: r.URL.Path, Auth: r.Header.Get("Authorization"), Body: body})
		status := 200
		if c.answer != nil {
			status = c.answer(len(c.posts))
		}
		c.mu.Unlock()
		if status == hang {
			<-r.Context().Done()
			return
		}
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "http://127.0.0.1:1/inward")
		}
		w.WriteHeader(status)
		io.WriteString(w, `{"ok":true}`)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *fakeChat) all(path string) []post {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []post
	for _, p := range c.posts {
		if strings.HasPrefix(p.Path, path) {
			out = append(out, p)
		}
	}
	return out
}

// text is what a person reads of a post.
func (p post) text() string {
	if t, ok := p.Body["text"].(string); ok {
		return t
	}
	a, _ := p.Body["attachments"].([]any)
	var b strings.Builder
	for _, x := range a {
		m := x.(map[string]any)
		fmt.Fprintf(&b, "%v\n", m["text"])
		for _, f := range m["fields"].([]any) {
			fm := f.(map[string]any)
			fmt.Fprintf(&b, "%v=%v\n", fm["title"], fm["value"])
		}
	}
	return b.String()
}

// chatUser links a chat user to a signalbox user through the page, in a browser's way.
func (w *world) link(link, login, password string) {
	w.t.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	get := func(address string) string {
		res, err := browser.Get(address)
		if err != nil {
			w.t.Fatal(err)
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return string(raw)
	}
	send := func(address string, form url.Values) string {
		res, err := browser.PostForm(address, form)
		if err != nil {
			w.t.Fatal(err)
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return string(raw)
	}
	if page := get(link); !strings.Contains(page, "Password") {
		w.t.Fatalf("no sign-in page: %s", page)
	}
	if page := send(w.node.Local+"/users/sign_in", url.Values{"login": {login}, "password": {password}}); !strings.Contains(page, "Authorize") {
		w.t.Fatalf("no linking page after signing in: %s", page)
	}
	u, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	page := send(w.node.Local+"/-/profile/chat_names/new", url.Values{"token": {u.Query().Get("token")}, "decision": {"authorize"}})
	if !strings.Contains(page, "Connected") {
		w.t.Fatalf("not connected: %s", page)
	}
}

// onBoth runs a test of the whole product on both databases, side by side: such tests mostly wait. It is for what depends on how
// a database locks, fails or answers; the rest is onEither.
func onBoth(t *testing.T, f func(t *testing.T, o models.Options)) {
	t.Helper()
	beside(t)
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		t.Parallel()
		f(t, o)
	})
}

// onEither runs a test of the whole product on one of the databases, which its name decides, so that half of such tests run on
// each; with SIGNALBOX_TEST_ALL on both. What differs between the databases stands in models, whose tests run on both.
func onEither(t *testing.T, f func(t *testing.T, o models.Options)) {
	t.Helper()
	if os.Getenv(allEnv) != "" {
		onBoth(t, f)
		return
	}
	beside(t)
	sum := fnv.New32a()
	sum.Write([]byte(t.Name()))
	if sum.Sum32()%2 == 0 {
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			f(t, freshPostgres(t))
		})
		return
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		modelstest.SQLite(t, dir)
		f(t, models.Options{Dir: dir})
	})
}

// besides are the tests that beside was told of.
var besides sync.Map

// beside lets a test run beside others: it waits for processes more than it works.
func beside(t *testing.T) {
	if _, known := besides.LoadOrStore(t, true); !known {
		t.Parallel()
	}
}

// variable gives the project a variable.
func (w *world) variable(key, value string) {
	w.t.Helper()
	var id int64
	fmt.Sscan(w.project, &id)
	v := &models.Variable{Scope: "project", ScopeID: id, Key: key}
	v.Value = w.node.CI.Keys().Seal(v.Place(), value)
	err := w.node.db.Write(context.Background(), func(tx *models.Tx) error { return tx.SetVariable(v) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// shiftingClock is a clock that a test puts forward.
type shiftingClock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *shiftingClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *shiftingClock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift = d
}

func (c *shiftingClock) by() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shift
}

// pushTo pushes a fresh commit with a refspec.
func (w *world) pushTo(path, token, refspec string) (string, error) {
	w.t.Helper()
	dir := w.t.TempDir()
	address := strings.Replace(w.node.Local, "http://", "http://oauth2:"+token+"@", 1) + "/root/" + path + ".git"
	cmd := exec.Command("bash", "-c", `cd "$1"; git init -q; git config user.name R; git config user.email r@example.com; git commit -q --allow-empty -m x; git push "$2" "$3" 2>&1`, "x", dir, address, refspec)
	cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
