package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

// fleet is the other process: fake runners that load a node over loopback. It prints name=value lines.
func fleet() int {
	runners, _ := strconv.Atoi(os.Getenv("FLEET_RUNNERS"))
	jobs, _ := strconv.ParseInt(os.Getenv("FLEET_JOBS"), 10, 64)
	f := &fakeFleet{
		url: os.Getenv("FLEET_URL"), token: os.Getenv("FLEET_TOKEN"), runners: runners, jobs: jobs,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20000, MaxIdleConns: 20000}},
	}
	switch os.Getenv(fleetEnv) {
	case "lives":
		f.lives()
	case "held":
		f.held()
	case "trace":
		f.trace()
	case "hold":
		f.hold()
	case "chat":
		f.chat()
	}
	return 0
}

type fakeFleet struct {
	url, token string
	runners    int
	jobs       int64
	http       *http.Client
	done       atomic.Int64
}

func (f *fakeFleet) client(system string) *client.Client {
	return &client.Client{URL: f.url, Token: f.token, SystemID: system, HTTP: f.http, Info: runnerproto.Info{
		Version: "19.4.0", Executor: "shell", Features: runnerproto.Features{"two_phase_job_commit": true, "trace_checksum": true},
	}}
}

// each runs all runners until the fleet has done its jobs.
func (f *fakeFleet) each(work func(c *client.Client, job *runnerproto.Job)) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	from := time.Now()
	for range f.runners {
		wg.Go(func() {
			c := f.client("s_fleet")
			for f.done.Load() < f.jobs {
				job, err := c.Request(ctx)
				if err != nil || job == nil {
					continue
				}
				work(c, job)
				if f.done.Add(1) >= f.jobs {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	return time.Since(from)
}

var (
	piece = bytes.Repeat([]byte("a line of a log that a job prints\n"), 30)
	bg    = context.Background()
)

func must(a client.Answer, err error) {
	if err != nil || a.Code >= 300 {
		fmt.Fprintln(os.Stderr, "fleet:", a.Code, err, string(a.Body))
		os.Exit(1)
	}
}

func (f *fakeFleet) lives() {
	took := f.each(func(c *client.Client, job *runnerproto.Job) {
		must(c.Update(bg, job, runnerproto.UpdateRequest{State: "running"}))
		must(c.Patch(bg, job, 0, piece))
		must(c.Patch(bg, job, int64(len(piece)), piece))
		size := int64(2 * len(piece))
		must(c.Update(bg, job, runnerproto.UpdateRequest{State: "success", Output: &runnerproto.Output{Bytesize: &size}}))
	})
	fmt.Printf("per_second=%.1f\n", float64(f.jobs)/took.Seconds())
}

// held measures from the moment at which a job became pending, which its payload tells by the time it queued,
// to the moment at which a held request has it.
func (f *fakeFleet) held() {
	var mu sync.Mutex
	var waits []float64
	f.each(func(c *client.Client, job *runnerproto.Job) {
		// time_in_queue is measured by the node until it renders the answer; the way back is loopback.
		mu.Lock()
		waits = append(waits, job.JobInfo.TimeInQueue*1000)
		mu.Unlock()
		size := int64(0)
		must(c.Update(bg, job, runnerproto.UpdateRequest{State: "success", Output: &runnerproto.Output{Bytesize: &size}}))
	})
	slices.Sort(waits)
	fmt.Printf("p50_ms=%.2f\np99_ms=%.2f\n", waits[len(waits)/2], waits[len(waits)*99/100])
}

func (f *fakeFleet) trace() {
	const total = 64 << 20
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	took := f.each(func(c *client.Client, job *runnerproto.Job) {
		for at := int64(0); at < total; at += int64(len(chunk)) {
			must(c.Patch(bg, job, at, chunk))
		}
	})
	fmt.Printf("mb_per_second=%.1f\n", float64(f.jobs)*total/1e6/took.Seconds())
}

// hold opens requests that the node holds, says when all are held, and ends with its standard input.
func (f *fakeFleet) hold() {
	first := f.client("s_hold")
	if _, err := first.Request(bg); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
	body, _ := json.Marshal(runnerproto.JobRequest{Info: first.Info, Token: f.token, SystemID: "s_hold", LastUpdate: first.LastUpdate()})
	host := strings.TrimPrefix(f.url, "http://")
	open := 0
	for range f.runners {
		c, err := net.Dial("tcp", host)
		if err != nil {
			break
		}
		fmt.Fprintf(c, "POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		open++
	}
	time.Sleep(time.Second) // the last requests are on their way
	fmt.Printf("%d held\n", open)
	io.Copy(io.Discard, os.Stdin)
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func waitReady(b *testing.B, url string) {
	b.Helper()
	for range 2000 {
		res, err := http.Get(url + "/-/readiness")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.Fatal("the node does not answer")
}

// resident is the memory of a process in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1000
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

func post(b *testing.B, url, body string, into any) {
	b.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("PRIVATE-TOKEN", "glpat-bench")
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		b.Fatal(err)
	}
}
