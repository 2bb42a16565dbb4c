package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/internal/secret"
	"signalbox/internal/testenv"
	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

const (
	chatHostEnv = "FLEET_CHAT"
	chatRateEnv = "FLEET_RATE" // commands a second
)

// chat gives commands at a fixed rate as Slack does, runs their jobs, and takes the replies. It prints how long
// acknowledgements took, and how long after the end of its job each reply came.
func (f *fakeFleet) chat() {
	var mu sync.Mutex
	ended := map[string]time.Time{}
	var replies, acks []float64
	came := make(chan struct{}, f.jobs)
	rate, _ := strconv.Atoi(os.Getenv(chatRateEnv))
	run := fmt.Sprint(os.Getpid(), "-") // each run gives commands of its own
	l, err := net.Listen("tcp", os.Getenv(chatHostEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
	go http.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		now := time.Now()
		mu.Lock()
		replies = append(replies, now.Sub(ended[strings.TrimPrefix(r.URL.Path, "/hooks/")]).Seconds()*1000)
		mu.Unlock()
		came <- struct{}{}
	}))
	var wg sync.WaitGroup
	runs := rate < 50 // else acknowledgements alone are measured
	wg.Go(func() {
		if !runs {
			return
		}
		f.each(func(c *client.Client, job *runnerproto.Job) {
			var input string
			for _, v := range job.Variables {
				if v.Key == "CHAT_INPUT" {
					input = v.Value
				}
			}
			log := []byte("section_start:1:chat_reply\r\x1b[0K\ndone " + input + "\nsection_end:2:chat_reply\r\x1b[0K\n")
			must(c.Patch(bg, job, 0, log))
			size := int64(len(log))
			mu.Lock()
			ended[input] = time.Now()
			mu.Unlock()
			must(c.Update(bg, job, runnerproto.UpdateRequest{State: "success", Output: &runnerproto.Output{Bytesize: &size}}))
		})
	})
	tick := time.NewTicker(time.Second / time.Duration(rate))
	for i := range int(f.jobs) {
		<-tick.C
		wg.Go(func() {
			form := url.Values{
				"token": {"bench-token"}, "team_id": {"T1"}, "team_domain": {"t"}, "channel_id": {"C1"}, "channel_name": {"ops"}, "user_id": {"U1"}, "user_name": {"u"},
				"command": {"/ops"}, "text": {"run job0 " + strconv.Itoa(i)}, "trigger_id": {run + strconv.Itoa(i)}, "response_url": {"http://" + os.Getenv(chatHostEnv) + "/hooks/" + strconv.Itoa(i)},
			}
			from := time.Now()
			res, err := f.http.PostForm(f.url+"/api/v4/projects/1/integrations/slack_slash_commands/trigger", form)
			if err != nil || res.StatusCode != http.StatusOK {
				fmt.Fprintln(os.Stderr, "fleet: a command was not taken:", err)
				os.Exit(1)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			mu.Lock()
			acks = append(acks, time.Since(from).Seconds()*1000)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(acks)
	fmt.Printf("ack_p50=%.2f\nack_p99=%.2f\n", acks[len(acks)/2], acks[len(acks)*99/100])
	if !runs {
		return
	}
	for range int(f.jobs) {
		<-came
	}
	slices.Sort(replies)
	fmt.Printf("reply_p50=%.2f\nreply_p99=%.2f\n", replies[len(replies)/2], replies[len(replies)*99/100])
}

// BenchmarkChat measures acknowledgements at a hundred commands a second, of a small configuration and of one that costs much
// to read, and the way from the end of a job to its reply.
func BenchmarkChat(b *testing.B) {
	databases(b, func(b *testing.B, name string, o models.Options) {
		for _, jobs := range []int{1, 1000} {
			b.Run(fmt.Sprintf("%d", jobs), func(b *testing.B) { chatOf(b, name, o, jobs) })
		}
	})
}

func chatOf(b *testing.B, name string, o models.Options, jobs int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	b.Setenv(chatHostEnv, host)
	if o.URL != "" {
		o.URL = testenv.Postgres(b)
	}
	n := start(b, o, host)
	err = n.CI.DB().Write(b.Context(), func(tx *models.Tx) error {
		in := &models.ChatIntegration{ProjectID: n.project.ID, Chat: enum.Slack, Active: true, TokenHash: secret.Hash("bench-token"), ChannelVariable: "name", ReplyHosts: []string{host}}
		if err := tx.SaveIntegration(in); err != nil {
			return err
		}
		return tx.SaveIdentity(&models.ChatIdentity{UserID: n.root.User.ID, IntegrationID: in.ID, Chat: enum.Slack, TeamID: "T1", ChatUserID: "U1", ChatUserName: "u"})
	})
	if err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	for i := range jobs {
		fmt.Fprintf(&text, "job%d: {script: [make], only: [chat]}\n", i)
	}
	n.pushText(b, text.String())
	for b.Loop() {
		what := fmt.Sprintf("%d jobs in the file, %s", jobs, name)
		b.Setenv(chatRateEnv, "5")
		v := n.fleetRun(b, "chat", 16, 50, nil)
		report("job's end to its reply, 5/s, "+what, "<= 100 ms", fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", v["reply_p50"], v["reply_p99"]))
		b.Setenv(chatRateEnv, "100")
		v = n.fleetRun(b, "chat", 16, 1500, nil)
		report("acknowledgement, 100/s, "+what, "p99 <= 50 ms", fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", v["ack_p50"], v["ack_p99"]))
		b.ReportMetric(v["ack_p99"], "ack-p99-ms")
	}
}
