package bench

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/ci"
	"signalbox/internal/testenv"
	"signalbox/models"
	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

const (
	storedPipelines = 100_000
	storedJobs      = 1_000_000
)

// BenchmarkListsOverAMillionJobs is the time to the first byte of lists and pages when much is stored.
func BenchmarkListsOverAMillionJobs(b *testing.B) {
	for name, open := range map[string]func() models.Options{
		"sqlite": func() models.Options { return models.Options{} }, "postgres": func() models.Options { return models.Options{URL: testenv.Postgres(b)} },
	} {
		b.Run(name, func(b *testing.B) {
			o := open()
			n := start(b, o)
			n.push(b, 1)
			if err := n.create(b.Context()); err != nil {
				b.Fatal(err)
			}
			fill(b, n, o)
			token, _, err := createToken(b.Context(), n)
			if err != nil {
				b.Fatal(err)
			}
			p := fmt.Sprintf("/api/v4/projects/%d", n.project.ID)
			for _, path := range []string{
				p + "/jobs", p + "/jobs?scope[]=failed", p + "/jobs?pagination=keyset&per_page=100", p + "/pipelines", p + "/pipelines?ref=main&status=failed",
				p + "/pipelines/5000/jobs", "/api/v4/projects",
			} {
				var times []time.Duration
				for range 200 {
					times = append(times, firstByte(b, n.Local+path, token))
				}
				slices.Sort(times)
				report(name+" "+strings.TrimPrefix(path, p), "first byte p99 ≤ 50 ms", fmt.Sprintf("p50 %s, p99 %s", times[100].Round(100*time.Microsecond), times[197].Round(100*time.Microsecond)))
			}
			browser := signIn(b, n)
			for _, path := range []string{"/", "/root/bench", "/root/bench/-/pipelines", "/root/bench/-/pipelines?status=failed", "/root/bench/-/pipelines/5000", "/admin/jobs"} {
				var times []time.Duration
				for range 200 {
					times = append(times, opened(b, browser, n.Local+path))
				}
				slices.Sort(times)
				report(name+" page "+path, "first byte p99 ≤ 50 ms", fmt.Sprintf("p50 %s, p99 %s", times[100].Round(100*time.Microsecond), times[197].Round(100*time.Microsecond)))
			}
		})
	}
}

// signIn is a browser of root's.
func signIn(b *testing.B, n *node) *http.Client {
	b.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	res, err := c.PostForm(n.Local+"/users/sign_in", url.Values{"login": {"root"}, "password": {"bench-password"}})
	if err != nil {
		b.Fatal(err)
	}
	res.Body.Close()
	if res.Request.URL.Path != "/" {
		b.Fatalf("not signed in: %s", res.Request.URL)
	}
	return c
}

// opened is the time to the first byte of a page, which is then read whole.
func opened(b *testing.B, c *http.Client, address string) time.Duration {
	b.Helper()
	began := time.Now()
	res, err := c.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	n, _ := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK || n == 0 {
		b.Fatalf("%s: %d, %d bytes", address, res.StatusCode, n)
	}
	return took
}

// BenchmarkOpenLargeLog opens the page of a job with a log of 50 MB, at its end, beginning and middle, while it
// is still a file of the node and once it is archived with its index.
func BenchmarkOpenLargeLog(b *testing.B) {
	n := start(b, models.Options{})
	n.push(b, 1)
	if err := n.create(b.Context()); err != nil {
		b.Fatal(err)
	}
	c := &client.Client{URL: n.Local, Token: n.token, SystemID: "s_bench"}
	job, err := c.Request(b.Context())
	if err != nil || job == nil {
		b.Fatal(job, err)
	}
	line := []byte("2026-01-01 12:00:00 \x1b[32mINFO\x1b[0m something happened somewhere, and was written down as a line of this log\n")
	size := 0
	for block := bytes.Repeat(line, 8000); size < 50<<20; size += len(block) {
		if a, err := c.Patch(b.Context(), job, int64(size), block); err != nil || a.Code != http.StatusAccepted {
			b.Fatal(a.Code, err)
		}
	}
	browser := signIn(b, n)
	page := fmt.Sprintf("%s/root/bench/-/jobs/%d", n.Local, job.ID)
	measure := func(what string) {
		var times []time.Duration
		for i := range 60 {
			times = append(times, opened(b, browser, page+[]string{"", "?at=1", "?at=250000"}[i%3]))
		}
		slices.Sort(times)
		report("a 50 MB log, "+what, "opens in ≤ 100 ms", fmt.Sprintf("p50 %s, worst %s", times[30].Round(100*time.Microsecond), times[59].Round(100*time.Microsecond)))
	}
	measure("while the job runs")
	if a, err := c.Update(b.Context(), job, runnerproto.UpdateRequest{State: "success"}); err != nil || a.Code != http.StatusOK {
		b.Fatal(a.Code, err)
	}
	for archived := false; !archived; {
		time.Sleep(50 * time.Millisecond)
		err := n.CI.DB().Read(b.Context(), func(tx *models.Tx) error {
			j, err := tx.Job(job.ID)
			archived = err == nil && j.TraceArchived
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	measure("archived")
	began := time.Now()
	opened(b, browser, page+"?q=not+there+at+all")
	report("a 50 MB log, searched whole", "—", time.Since(began).Round(time.Millisecond).String())
}

func createToken(ctx context.Context, n *node) (token string, row *models.PersonalAccessToken, err error) {
	row, token, err = n.CI.CreateToken(ctx, n.root, n.root.User.ID, ci.NewToken{Name: "bench", Scopes: []string{"read_api"}})
	return token, row, err
}

func firstByte(b *testing.B, address, token string) time.Duration {
	b.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", token)
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b.Fatalf("%s: %d %s", address, res.StatusCode, body)
	}
	return took
}

// fill clones the one pipeline and its job, behind the object mapper's back.
func fill(b *testing.B, n *node, o models.Options) {
	b.Helper()
	driver, source := "sqlite", "file:"+filepath.Join(n.data, "signalbox.db")+"?_pragma=busy_timeout(20000)"
	if o.URL != "" {
		driver, source = "pgx", o.URL
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	columns, err := n.CI.DB().Columns(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var last int64
	if err := db.QueryRow("SELECT MAX(id) FROM pipelines").Scan(&last); err != nil {
		b.Fatal(err)
	}
	clone := func(table string, rows int, set map[string]string) {
		var names, values []string
		for _, c := range columns {
			owner, column, _ := strings.Cut(strings.TrimSuffix(c, " null"), ".")
			if owner != table || column == "id" {
				continue
			}
			value := table + "." + column
			if v, ok := set[column]; ok {
				value = v
			}
			names, values = append(names, column), append(values, value)
		}
		query := fmt.Sprintf(`WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < %d)
			INSERT INTO %s (%s) SELECT %s FROM k, (SELECT * FROM %s ORDER BY id DESC LIMIT 1) AS %s`,
			rows, table, strings.Join(names, ","), strings.Join(values, ","), table, table)
		if _, err := db.Exec(query); err != nil {
			b.Fatalf("fill %s: %v", table, err)
		}
	}
	status := "CASE WHEN i % 20 = 0 THEN 'failed' ELSE 'success' END"
	clone("pipelines", storedPipelines, map[string]string{"iid": "iid + i", "creation_key": "NULL", "status": status})
	clone("jobs", storedJobs, map[string]string{"pipeline_id": fmt.Sprintf("%d + 1 + (i - 1) / 10", last), "status": status})
	if o.URL != "" {
		if _, err := db.Exec("ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
}
