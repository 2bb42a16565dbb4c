package events

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	channel   = "signalbox:events"
	queued    = 8192 // events that wait to be sent; more are dropped
	batchSize = 256
)

// Bus connects the hubs of several nodes through Redis. While Redis is away nothing is delivered between
// nodes; when it comes back everybody is woken once, because nobody knows what was missed.
type Bus struct {
	hub    *Hub
	client redis.UniversalClient
	log    *slog.Logger
	node   string
	out    chan string
}

// NewBus makes a bus and joins the hub to it. Run carries the events.
func NewBus(hub *Hub, client redis.UniversalClient, log *slog.Logger) *Bus {
	id := make([]byte, 8)
	rand.Read(id)
	b := &Bus{hub: hub, client: client, log: log, node: hex.EncodeToString(id), out: make(chan string, queued)}
	hub.others = b.out
	return b
}

// Run sends and receives until the context ends.
func (b *Bus) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { b.send(ctx) })
	wg.Go(func() { b.receive(ctx) })
	wg.Wait()
}

// send passes on what was announced: whatever waits goes together, each topic once.
func (b *Bus) send(ctx context.Context) {
	for {
		var topic string
		select {
		case <-ctx.Done():
			return
		case topic = <-b.out:
		}
		topics := map[string]bool{topic: true}
		for more := true; more && len(topics) < batchSize; {
			select {
			case t := <-b.out:
				topics[t] = true
			default:
				more = false
			}
		}
		_, err := b.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for t := range topics {
				p.Publish(ctx, channel, b.node+" "+t)
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			b.log.DebugContext(ctx, "events not sent", "error", err)
		}
	}
}

// receive wakes this node's subscribers for the events of others.
func (b *Bus) receive(ctx context.Context) {
	sub := b.client.Subscribe(ctx, channel)
	defer context.AfterFunc(ctx, func() { sub.Close() })() // a wait for a message ends by nothing else
	away := false
	for ctx.Err() == nil {
		got, err := sub.Receive(ctx)
		if err != nil {
			if ctx.Err() == nil && !away {
				away = true
				b.log.WarnContext(ctx, "Redis cannot be reached; nodes find each other's work by sweeps, which is slower", "error", err)
			}
			pause(ctx, time.Second)
			continue
		}
		switch m := got.(type) {
		case *redis.Subscription:
			if away {
				b.log.InfoContext(ctx, "Redis is back")
			}
			away = false
			b.hub.deliverAll()
		case *redis.Message:
			if from, topic, ok := strings.Cut(m.Payload, " "); ok && from != b.node {
				b.hub.deliver(topic)
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
