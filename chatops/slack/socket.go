package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/models"
	"signalbox/models/enum"
)

// Sockets takes what Slack sends over connections that we open (Socket Mode), so that no inbound port is needed. Each node
// has a connection for each integration with an app token; Slack gives every command to one of them, of at most ten.
type Sockets struct {
	handler *Handler
	chat    Chat
	client  *http.Client
	log     *slog.Logger
}

// NewSockets makes them. The client must reach no private network unless an administrator allows it.
func NewSockets(s *chatops.Service, chat Chat, client *http.Client, now func() time.Time, log *slog.Logger) *Sockets {
	return &Sockets{handler: &Handler{service: s, now: now}, chat: chat, client: client, log: log}
}

const (
	socketLook   = 2 * time.Second  // after which a changed integration is noticed
	socketRetry  = time.Minute      // the longest pause after connections that fail
	socketSteady = 10 * time.Second // a connection that held so long was a good one
	pingEvery    = 30 * time.Second
	pongWithin   = 10 * time.Second
	maxEnvelope  = 1 << 20
)

// Run keeps the connections until the context ends.
func (k *Sockets) Run(ctx context.Context) {
	type connection struct {
		changed time.Time
		stop    context.CancelFunc
	}
	open := map[int64]connection{}
	var working sync.WaitGroup
	defer working.Wait()
	tick := time.NewTicker(socketLook)
	defer tick.Stop()
	for {
		wanted, err := k.handler.service.SocketIntegrations(ctx)
		if err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "integrations with Socket Mode cannot be read", "error", err)
		}
		if err == nil {
			for id, c := range open {
				if in := wanted[id]; in == nil || !in.UpdatedAt.Equal(c.changed) {
					c.stop()
					delete(open, id)
				}
			}
			for id, in := range wanted {
				if _, there := open[id]; there {
					continue
				}
				own, stop := context.WithCancel(ctx)
				open[id] = connection{in.UpdatedAt, stop}
				working.Go(func() { k.hold(own, in) })
			}
		}
		select {
		case <-ctx.Done():
			for _, c := range open {
				c.stop()
			}
			return
		case <-tick.C:
		}
	}
}

// hold connects again whenever a connection ends: at once if Slack asked for another one after a good one, else after a pause that grows.
func (k *Sockets) hold(ctx context.Context, in *models.ChatIntegration) {
	var pause backOff
	for ctx.Err() == nil {
		began := time.Now()
		err := k.connect(ctx, in)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			k.log.WarnContext(ctx, "a connection to Slack ended", "project", in.ProjectID, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause.after(time.Since(began), err != nil)):
		}
	}
}

// backOff is how long to wait before the next connection.
type backOff struct{ ended int }

// after is the pause after a connection that held for a time. Pauses differ by chance, so that many nodes do not connect at once.
func (b *backOff) after(held time.Duration, failed bool) time.Duration {
	if held >= socketSteady {
		b.ended = 0
		if !failed {
			return 0
		}
	}
	most := min(socketRetry, time.Second<<min(b.ended, 10))
	b.ended++
	return most/2 + rand.N(most/2)
}

// ping asks now and then whether the connection still stands: one that was cut without a word would be waited on for ever.
func (k *Sockets) ping(ctx context.Context, ws *websocket.Conn) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		soon, cancel := context.WithTimeout(ctx, pongWithin)
		err := ws.Ping(soon)
		cancel()
		if err != nil {
			ws.CloseNow() // the reader ends
			return
		}
	}
}

// frame is a message of Slack's over the connection.
type frame struct {
	Type    string          `json:"type"`
	ID      string          `json:"envelope_id"`
	Payload json.RawMessage `json:"payload"`
}

// connect serves one connection to its end; nil if Slack asked for the next one.
func (k *Sockets) connect(ctx context.Context, in *models.ChatIntegration) error {
	token, err := k.handler.service.AppToken(ctx, in)
	if err != nil {
		return err
	}
	a, err := k.chat.call(ctx, k.handler.service.Poster(), chatops.Target{Bot: token}, "apps.connections.open", struct{}{})
	if err != nil {
		return err
	}
	ws, _, err := websocket.Dial(ctx, a.URL, &websocket.DialOptions{HTTPClient: k.client})
	if err != nil {
		return errors.New("slack's websocket cannot be reached") // its address is a secret
	}
	ws.SetReadLimit(maxEnvelope)
	pinging, stop := context.WithCancel(ctx)
	defer stop()
	go k.ping(pinging, ws)
	var working sync.WaitGroup
	defer func() { // what was taken is answered before the connection goes
		working.Wait()
		ws.Close(websocket.StatusNormalClosure, "")
	}()
	for {
		var f frame
		if err := wsjson.Read(ctx, ws, &f); err != nil {
			return fmt.Errorf("slack's websocket: %w", err)
		}
		if f.Type == "disconnect" {
			return nil
		}
		if f.ID == "" {
			continue // hello
		}
		working.Go(func() {
			if err := k.take(ctx, ws, in, f); err != nil {
				k.log.WarnContext(ctx, "a message of Slack's cannot be taken", "project", in.ProjectID, "type", f.Type, "error", err)
			}
		})
	}
}

// take does what a message asks for. A slash command is answered with the acknowledgement, everything else before it is done.
func (k *Sockets) take(ctx context.Context, ws *websocket.Conn, in *models.ChatIntegration, f frame) error {
	ack := gin.H{"envelope_id": f.ID}
	if f.Type == "slash_commands" {
		var p map[string]any
		if err := json.Unmarshal(f.Payload, &p); err != nil {
			return err
		}
		cmd := command(in.ID, textsOf(p))
		var answer chatops.Answer
		var err error
		if in.Chat == enum.SlackApp {
			cmd.Chat = enum.SlackApp
			answer, err = k.handler.service.ReceiveFor(ctx, cmd)
		} else {
			answer, err = k.handler.service.Receive(ctx, in, cmd)
		}
		if err != nil {
			return err // Slack tells the person that it did not work
		}
		ack["payload"] = answerBody(answer)
		return wsjson.Write(ctx, ws, ack)
	}
	var what struct {
		Type string `json:"type"`
	}
	if f.Type == "interactive" && json.Unmarshal(f.Payload, &what) == nil && what.Type == "view_submission" { // answered with what is wrong
		answer, err := k.interact(ctx, in, f.Payload)
		if err != nil {
			return err
		}
		if answer != nil {
			ack["payload"] = answer
		}
		return wsjson.Write(ctx, ws, ack)
	}
	if err := wsjson.Write(ctx, ws, ack); err != nil {
		return err
	}
	switch {
	case f.Type == "interactive":
		_, err := k.interact(ctx, in, f.Payload)
		return err
	case f.Type == "events_api" && in.Chat == enum.SlackApp:
		_, err := k.handler.appHear(ctx, f.Payload)
		return err
	case f.Type == "events_api":
		_, err := k.handler.hear(ctx, f.Payload, in, func(ctx context.Context, cmd chatops.Command) error {
			cmd.Chat = enum.Slack
			return k.handler.service.Defer(ctx, in, cmd)
		})
		return err
	}
	return nil
}

// textsOf are the fields of a command, which come as JSON here and as a form elsewhere.
func textsOf(p map[string]any) map[string][]string {
	out := map[string][]string{}
	for key, v := range p {
		if text, ok := v.(string); ok {
			out[key] = []string{text}
		}
	}
	return out
}

// interact takes an interaction; those of the instance's app say themselves for which project they are.
func (k *Sockets) interact(ctx context.Context, in *models.ChatIntegration, payload []byte) (any, error) {
	if in.Chat == enum.SlackApp {
		return k.handler.appInteract(ctx, payload)
	}
	return k.handler.interact(ctx, in, payload)
}
