package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/ci/access"
	"signalbox/internal/testenv"
	"signalbox/models"
	"signalbox/models/modelstest"
	"signalbox/runnerproto/shellrunner"
)

// twoNodes starts two nodes on one PostgreSQL, one Redis and shared folders.
func twoNodes(t *testing.T, redisURL string, options ...option) (a, b *world) {
	t.Helper()
	return twoNodesOn(t, modelstest.Postgres(t), redisURL, options...)
}

func twoNodesOn(t *testing.T, postgresURL, redisURL string, options ...option) (a, b *world) {
	t.Helper()
	shared := t.TempDir()
	open(t, shared)
	db := models.Options{URL: postgresURL}
	share := func(s *Settings) {
		s.RedisURL, s.BlobURL = redisURL, "file://"+filepath.Join(shared, "objects")
		s.Repositories, s.SecretKeyFile = filepath.Join(shared, "repositories"), filepath.Join(shared, "key")
		s.ExternalURL = ""
		if err := os.WriteFile(s.SecretKeyFile, []byte("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a = start(t, db, append([]option{share}, options...)...)
	b = start(t, db, append([]option{share}, options...)...)
	// Chats that node a posts to are node b's too.
	b.chat = a.chat
	return a, b
}

// redisOf gives the test a database of its own on the shared Redis.
func redisOf(t *testing.T, n int) string {
	t.Helper()
	u, err := url.Parse(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = fmt.Sprintf("/%d", n)
	return u.String()
}

const slowJob = `
talk:
  script:
    - for i in $(seq 1 400); do echo "line $i"; [ -e "$FLAG" ] && break; sleep 0.1; done
    - echo the end
`

func (w *world) flag(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	open(t, dir)
	path := filepath.Join(dir, "go")
	w.variable("FLAG", path)
	return path
}

// TestTwoNodesPushAndLiveLog: pushed at one node, run by a runner of the other, its log read live from both.
func TestTwoNodesPushAndLiveLog(t *testing.T) {
	beside(t)
	a, b := twoNodes(t, redisOf(t, 1))
	a.newProject("app")
	b.project = a.project
	flag := a.flag(t)
	b.runner()
	a.push("app", map[string]string{".gitlab-ci.yml": slowJob})
	a.pipeline("running")
	job := a.jobs(a.pipelines()[0].ID)["talk"].ID
	for _, w := range []*world{a, b} {
		w.eventually("the live log", func() bool { return strings.Contains(w.trace(job), "line 3") })
	}
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.pipeline("success")
	for _, w := range []*world{a, b} {
		w.eventually("the whole log", func() bool { return strings.Contains(w.trace(job), "the end") })
	}
}

// TestTwoNodesChat: the command comes in at one node, the runner polls the other, the chat gets its reply.
func TestTwoNodesChat(t *testing.T) {
	beside(t)
	a, b := twoNodes(t, redisOf(t, 2))
	a.newProject("app")
	b.runner()
	a.push("app", map[string]string{".gitlab-ci.yml": "hello:\n  script: [echo \"hello $CHAT_INPUT\"]\n  only: [chat]\n"})
	var c struct {
		ID    int64
		State string
		Reply *string
	}
	a.must(201, "POST", "/projects/"+a.project+"/chat/commands", map[string]any{"text": "run hello you"}, &c)
	b.eventually("the reply, read at the other node", func() bool {
		b.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", a.project, c.ID), nil, &c)
		return c.State == "replied"
	})
	if c.Reply == nil || !strings.Contains(*c.Reply, "hello you") {
		t.Errorf("reply %v", c.Reply)
	}
}

// TestANodeDiesHalfWay: whichever node goes, the job ends on the other with its whole log, and its reply comes.
func TestANodeDiesHalfWay(t *testing.T) {
	beside(t)
	for n, dying := range []string{"the one that took the work", "the one that the runner talks to"} {
		t.Run(dying, func(t *testing.T) {
			a, b := twoNodes(t, redisOf(t, 5+n))
			a.newProject("app")
			b.project = a.project
			flag := a.flag(t)
			balancer := balance(t, b, a)
			a.runnerAt(balancer)
			a.push("app", map[string]string{".gitlab-ci.yml": slowJob})
			a.pipeline("running")
			var c struct {
				ID    int64
				State string
				Reply *string
			}
			a.must(201, "POST", "/projects/"+a.project+"/chat/commands", map[string]any{"text": "run talk"}, &c)
			b.eventually("two running jobs", func() bool {
				all := b.pipelines()
				return len(all) == 2 && all[0].Status == "running" && all[1].Status == "running"
			})
			job := b.jobs(b.pipelines()[1].ID)["talk"].ID
			b.eventually("the live log", func() bool { return strings.Contains(b.trace(job), "line 2") })
			live := b
			if n == 1 {
				live = a
				b.die()
			} else {
				a.die()
			}
			if err := os.WriteFile(flag, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			live.eventually("both pipelines to pass", func() bool {
				all := live.pipelines()
				return all[0].Status == "success" && all[1].Status == "success"
			})
			if log := live.trace(job); !strings.Contains(log, "line 1\n") || !strings.Contains(log, "the end") {
				t.Errorf("log %q", log)
			}
			live.eventually("the reply", func() bool {
				live.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", live.project, c.ID), nil, &c)
				return c.State == "replied"
			})
		})
	}
}

// balance is a balancer before nodes: it takes the first that lives.
func balance(t *testing.T, nodes ...*world) string {
	t.Helper()
	var targets []string
	for _, w := range nodes {
		targets = append(targets, strings.TrimPrefix(w.node.Local, "http://"))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go pass(client, targets)
		}
	}()
	return "http://" + l.Addr().String()
}

func pass(client net.Conn, targets []string) {
	defer client.Close()
	for _, target := range targets {
		server, err := net.Dial("tcp", target)
		if err != nil {
			continue
		}
		defer server.Close()
		go func() {
			io.Copy(server, client)
			server.Close()
		}()
		io.Copy(client, server)
		return
	}
}

// runnerAt starts a runner that reaches the nodes at an address of its own.
func (w *world) runnerAt(address string) {
	w.t.Helper()
	token, err := w.node.runnerToken(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	open(w.t, dir)
	r, err := shellrunner.New(shellrunner.Options{
		URL: address, Token: token, Dir: filepath.Join(dir, "builds"), Concurrent: 2, User: w.s.RunnerUser, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	w.t.Cleanup(func() {
		stop()
		<-done
	})
}

// die ends a node without letting it finish anything: listener, connections and database go at once.
func (w *world) die() {
	w.t.Helper()
	n := w.node
	w.node = nil
	n.server.Close()
	n.db.Close()
	n.redis.Close()
	n.stop()
	w.t.Cleanup(n.working.Wait)
}

// TestRedisIsLostAndComesBack: while Redis is away jobs are still made and handed out, and a running job's log
// waits; when it comes back empty, the runner sends its log again and nothing is lost.
func TestRedisIsLostAndComesBack(t *testing.T) {
	beside(t)
	server, err := testenv.StartRedis(t.TempDir(), false)
	if testenv.IsMissing(err) {
		testenv.Missing(t, "Redis")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	a, b := twoNodes(t, server.URL)
	a.newProject("app")
	b.project = a.project
	flag := a.flag(t)
	b.runner()
	a.push("app", map[string]string{".gitlab-ci.yml": slowJob})
	b.pipeline("running")
	job := b.jobs(b.pipelines()[0].ID)["talk"].ID
	b.eventually("the live log", func() bool { return strings.Contains(b.trace(job), "line 2") })
	server.Restart(t, func() {
		// Work still gets through: a push at one node is seen by the other within a sweep.
		a.push("app", map[string]string{".gitlab-ci.yml": "quick:\n  script: [echo quick]\n", "b": "1"})
		a.eventually("the second pipeline to run", func() bool {
			all := a.pipelines()
			return len(all) == 2 && all[0].Status == "running"
		})
	})
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	a.eventually("both pipelines to pass", func() bool {
		for _, p := range a.pipelines() {
			if p.Status != "success" {
				return false
			}
		}
		return true
	})
	if log := a.trace(job); !strings.Contains(log, "line 1\n") || !strings.Contains(log, "the end") {
		t.Errorf("log after the loss: %q", log)
	}
}

// TestPostgresIsLostAndComesBack: while PostgreSQL is away both nodes refuse new work and say why; the job that
// ran goes on by itself when it is back, with its whole log, and both nodes take work again.
func TestPostgresIsLostAndComesBack(t *testing.T) {
	beside(t)
	dir := t.TempDir()
	open(t, dir)
	server, err := testenv.StartPostgres(dir, false)
	if testenv.IsMissing(err) {
		testenv.Missing(t, "PostgreSQL")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	a, b := twoNodesOn(t, server.URL+"/postgres?sslmode=disable", redisOf(t, 7))
	a.newProject("app")
	b.project = a.project
	flag := a.flag(t)
	b.runner()
	a.push("app", map[string]string{".gitlab-ci.yml": slowJob})
	b.pipeline("running")
	job := b.jobs(b.pipelines()[0].ID)["talk"].ID
	b.eventually("the live log", func() bool { return strings.Contains(b.trace(job), "line 2") })
	server.Restart(t, func() {
		for _, w := range []*world{a, b} {
			var refused struct{ Message string }
			if status := w.api("POST", "/projects/"+w.project+"/pipeline?ref=main", nil, &refused); status != 503 || !strings.Contains(refused.Message, "database") {
				t.Errorf("new work without a database: %d %q", status, refused.Message)
			}
			if status := w.api("POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run talk"}, nil); status != 503 {
				t.Errorf("a command without a database: %d", status)
			}
			res, err := http.Get(w.node.Local + "/-/readiness?all=1")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 503 {
				t.Errorf("ready without a database: %d", res.StatusCode)
			}
		}
	})
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*world{a, b} {
		w.eventually("the node to recover", func() bool { return w.api("GET", "/projects/"+w.project, nil, nil) == 200 })
		w.must(201, "POST", "/projects/"+w.project+"/pipeline?ref=main", nil, nil)
	}
	a.eventually("all three pipelines to pass", func() bool {
		all := a.pipelines()
		return len(all) == 3 && all[0].Status == "success" && all[1].Status == "success" && all[2].Status == "success"
	})
	if log := a.trace(job); !strings.Contains(log, "line 1\n") || !strings.Contains(log, "the end") {
		t.Errorf("log after the loss: %q", log)
	}
}

// TestLimitsHoldAcrossNodes: wrong passwords are counted together.
func TestLimitsHoldAcrossNodes(t *testing.T) {
	beside(t)
	a, b := twoNodes(t, redisOf(t, 4))
	refused := 0
	for i := range 2 * access.LoginBurst {
		w := []*world{a, b}[i%2]
		_, err := w.node.auth.Password(t.Context(), "root", "wrong", "192.0.2.1")
		if err == nil {
			t.Fatal("a wrong password is right")
		}
		if strings.Contains(err.Error(), "Too many") {
			refused++
		}
	}
	if refused != access.LoginBurst {
		t.Errorf("%d of %d tries were slowed down, want %d", refused, 2*access.LoginBurst, access.LoginBurst)
	}
}

// TestADeletedPipelineEndsItsCommand: nobody waits for a reply that cannot come.
func TestADeletedPipelineEndsItsCommand(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": "hello:\n  script: [echo hello]\n"})
		var c struct {
			ID            int64
			State         string
			PipelineID    int64   `json:"pipeline_id"`
			DeliveryError *string `json:"delivery_error"`
		}
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run hello"}, &c)
		w.eventually("the pipeline", func() bool {
			w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
			return c.PipelineID != 0
		})
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, c.PipelineID), nil, nil)
		w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
		if c.State != "undeliverable" || c.DeliveryError == nil {
			t.Errorf("the command is %s: %v", c.State, c.DeliveryError)
		}
	})
}
