package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/ci"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

const (
	waitingReplies  = 10_000
	waitingChannels = 100
)

// BenchmarkWaitingReplies measures what happens when a chat comes back for which ten thousand replies wait: how fast they go
// out, and whether jobs are still handed out at once.
func BenchmarkWaitingReplies(b *testing.B) {
	databases(b, func(b *testing.B, name string, o models.Options) {
		var up atomic.Bool
		var taken, refused atomic.Int64
		all := make(chan struct{})
		chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !up.Load() {
				refused.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			if taken.Add(1) == waitingReplies {
				close(all)
			}
		}))
		defer chat.Close()
		host := strings.TrimPrefix(chat.URL, "http://")
		n := start(b, o, host)
		n.push(b, 1)
		for b.Loop() {
			alone := n.handOuts(b)
			from := time.Now()
			n.waitingReplies(b, chat.URL, host)
			b.Logf("stored after %s", time.Since(from))
			for refused.Load() < waitingChannels {
				time.Sleep(10 * time.Millisecond)
			}
			down := n.handOuts(b)
			up.Store(true)
			b.Logf("refused %d after %s", refused.Load(), time.Since(from))
			from = time.Now()
			took := make(chan time.Duration, 1)
			go func() {
				<-all
				took <- time.Since(from)
			}()
			meanwhile := n.handOuts(b)
			drained := <-took
			report("10,000 waiting replies, "+name, "", fmt.Sprintf("%.0f/s, all after %.1f s", waitingReplies/drained.Seconds(), drained.Seconds()))
			report("job ready to held request, p99, "+name, "<= 25 ms", fmt.Sprintf("%.1f ms alone, %.1f ms while the chat is down, %.1f ms while replies go out", alone, down, meanwhile))
			b.ReportMetric(waitingReplies/drained.Seconds(), "replies/s")
			b.ReportMetric(meanwhile, "hand-out-p99-ms")
		}
	})
}

// handOuts is how long the slowest of a hundred jobs waited for a request that could take it, in milliseconds.
func (n *node) handOuts(b *testing.B) float64 {
	b.Helper()
	const jobs = 200
	return n.fleetRun(b, "held", 16, jobs, func() {
		for range jobs {
			time.Sleep(15 * time.Millisecond)
			if err := n.create(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})["p99_ms"]
}

// waitingReplies stores commands of many channels whose jobs have ended, with the tasks that answer them.
func (n *node) waitingReplies(b *testing.B, chat, host string) {
	b.Helper()
	in := &models.ChatIntegration{ProjectID: n.project.ID, Chat: enum.Slack, Active: true, TokenHash: secret.Hash("bench-token"), ChannelVariable: "name", ReplyHosts: []string{host}}
	err := n.CI.DB().Write(b.Context(), func(tx *models.Tx) error { return tx.SaveIntegration(in) })
	if err != nil {
		b.Fatal(err)
	}
	const slice = 250
	for from := 0; from < waitingReplies; from += slice {
		err := n.CI.DB().Write(b.Context(), func(tx *models.Tx) error {
			for i := from; i < from+slice; i++ {
				if err := n.waitingReply(tx, in, i, chat); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func (n *node) waitingReply(tx *models.Tx, in *models.ChatIntegration, i int, chat string) error {
	iid, err := tx.NextIID(n.project.ID, "pipeline")
	if err != nil {
		return err
	}
	p := &models.Pipeline{ProjectID: n.project.ID, UserID: n.root.User.ID, IID: iid, Source: enum.SourceChat, Ref: "main", SHA: strings.Repeat("a", 40), Status: enum.Success}
	if err := tx.CreatePipeline(p, nil); err != nil {
		return err
	}
	j := &models.Job{ProjectID: n.project.ID, UserID: n.root.User.ID, Name: "job0", Stage: "test", Status: enum.Success, Tags: []string{}}
	if err := tx.CreateJobs(p.ID, []models.NewJob{{Job: j, Definition: `{"script":["make"]}`}}); err != nil {
		return err
	}
	c := &models.ChatCommand{
		ProjectID: n.project.ID, IntegrationID: &in.ID, Chat: enum.Slack, DeliveryKey: fmt.Sprint("waiting-", i), ChannelID: fmt.Sprint("C", i%waitingChannels), ChatUserID: "U1",
		UserID: &n.root.User.ID, Text: "run job0", State: enum.CommandRunning, PipelineID: &p.ID, JobID: &j.ID, Answered: true,
	}
	c.ResponseURL = n.CI.Keys().Seal(c.Place(), fmt.Sprint(chat, "/hooks/", i))
	if err := tx.CreateCommand(c); err != nil {
		return err
	}
	return tx.AddTask(&models.Task{Kind: ci.TaskChatReply, Lane: models.LaneOutside, Payload: fmt.Sprintf(`{"pipeline":%d}`, p.ID)})
}
