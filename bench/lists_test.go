package bench

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/ci"
	"signalbox/internal/testenv"
	"signalbox/models"
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
		})
	}
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
