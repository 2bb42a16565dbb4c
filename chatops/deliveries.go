package chatops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Asked is what a request of a chat says of itself, proved or not.
type Asked struct {
	Kind     enum.DeliveryKind // "" is a slash command
	UserID   string
	UserName string
	Text     string
}

func (c Command) asked() Asked { return Asked{c.Kind, c.UserID, c.UserName, c.Text} }

func noteOf(in *models.ChatIntegration, r Asked, v enum.Verdict, row *models.ChatCommand) *models.ChatDelivery {
	d := &models.ChatDelivery{
		IntegrationID: in.ID, Kind: r.Kind, Verdict: v, Status: http.StatusOK, ChatUserID: r.UserID, ChatUserName: r.UserName, Text: r.Text,
	}
	if d.Kind == "" {
		d.Kind = enum.SlashCommand
	}
	if row != nil {
		d.CommandID = &row.ID
	}
	return d
}

const (
	noteEvery  = time.Second // of one integration and verdict
	maxNoted   = 1000        // integrations and verdicts that are noted in that time
	maxWriting = 4
)

// notes holds back what strangers would fill the disk with.
type notes struct {
	mu      sync.Mutex
	last    map[noteKey]time.Time
	held    map[noteKey]int64
	writing int
}

type noteKey struct {
	integration int64
	kind        enum.DeliveryKind
	verdict     enum.Verdict
}

// take says whether something is noted now, and how often it came since the last time.
func (n *notes) take(k noteKey, now time.Time) (times int64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == nil {
		n.last, n.held = map[noteKey]time.Time{}, map[noteKey]int64{}
	}
	old := func(t time.Time) bool { return now.Sub(t).Abs() >= noteEvery }
	if len(n.last) >= maxNoted {
		for k, t := range n.last {
			if old(t) {
				delete(n.last, k)
				delete(n.held, k)
			}
		}
	}
	t, known := n.last[k]
	if known && !old(t) {
		n.held[k]++
		return 0, false
	}
	if !known && len(n.last) >= maxNoted || n.writing >= maxWriting {
		return 0, false
	}
	times = n.held[k] + 1
	delete(n.held, k)
	n.last[k] = now
	n.writing++
	return times, true
}

func (n *notes) done() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writing--
}

// Note notes a request that became no command: afterwards, so that nobody can tell by the time of the answer what there is, and
// at most one of a kind and second, so that strangers make no work.
func (s *Service) Note(in *models.ChatIntegration, r Asked, v enum.Verdict, reason string, status int) {
	if in == nil {
		return // of the instance's app, which is no project's
	}
	d := noteOf(in, r, v, nil)
	times, ok := s.notes.take(noteKey{in.ID, d.Kind, v}, s.db.Now())
	if !ok {
		return
	}
	d.Reason, d.Status, d.Times = reason, status, times
	go func() {
		defer s.notes.done()
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if err := s.db.Write(ctx, func(tx *models.Tx) error { return tx.AddChatDelivery(d) }); err != nil {
			s.log.Debug("a request of a chat is not noted", "integration", in.ID, "error", err)
		}
	}()
}

// Delivery is a request that a chat sent, with what became of it.
type Delivery struct {
	*models.ChatDelivery
	Command *models.ChatCommand // nil: it made none, or that was deleted
}

// Yours says whether somebody may give the command of a delivery again: nobody runs a command as somebody else.
func (d Delivery) Yours(a access.Actor) bool {
	return d.Command != nil && a.User != nil && d.Command.UserID != nil && *d.Command.UserID == a.User.ID
}

// Deliveries lists the last requests to an integration, newest first. A command that was taken and refused later counts as refused.
func (s *Service) Deliveries(ctx context.Context, in *models.ChatIntegration, p models.Page) (out []Delivery, total int64, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		var rows []*models.ChatDelivery
		if rows, total, err = tx.ChatDeliveries(in.ID, p); err != nil {
			return err
		}
		out, err = deliveriesOf(tx, in, rows)
		return err
	})
	return out, total, err
}

func deliveriesOf(tx *models.Tx, in *models.ChatIntegration, rows []*models.ChatDelivery) ([]Delivery, error) {
	var ids []int64
	for _, d := range rows {
		if d.CommandID != nil {
			ids = append(ids, *d.CommandID)
		}
	}
	commands, err := tx.CommandsByID(ids)
	out := make([]Delivery, len(rows))
	for i, d := range rows {
		out[i].ChatDelivery = d
		if d.CommandID == nil {
			continue
		}
		c := commands[*d.CommandID]
		if c == nil || c.ProjectID != in.ProjectID {
			continue
		}
		out[i].Command = c
		if d.Verdict == enum.Taken && c.State == enum.CommandRefused {
			d.Verdict = enum.Refused
			d.Reason, _, _ = strings.Cut(c.Refusal, "\n")
		}
	}
	return out, err
}

var errNotYours = fault.New(fault.Forbidden, "The command was given by somebody else, or the chat account is linked to somebody else now; only they can replay it.")

// Replay gives the command of a delivery again, as the same chat user with the rights of now. That must be the asker's own chat
// account. The response address of the first time is not used: the reply comes by the bot, and to the command's page.
func (s *Service) Replay(ctx context.Context, by access.Actor, in *models.ChatIntegration, id int64) (*models.ChatCommand, error) {
	var d Delivery
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		row, err := tx.ChatDelivery(id)
		if err == nil && row.IntegrationID != in.ID {
			err = models.ErrNotFound
		}
		if err != nil {
			return err
		}
		rows, err := deliveriesOf(tx, in, []*models.ChatDelivery{row})
		d = rows[0]
		return err
	})
	switch {
	case errors.Is(err, models.ErrNotFound):
		return nil, fault.Missing("Delivery")
	case err != nil:
		return nil, err
	case d.Command == nil || d.Verdict != enum.Taken && d.Verdict != enum.Refused:
		return nil, fault.New(fault.Invalid, "Only a command that was taken can be replayed.")
	case !d.Yours(by):
		return nil, errNotYours
	case !in.Active:
		return nil, fault.New(fault.Invalid, "The integration is switched off.")
	}
	c := d.Command
	key := "replay:" + secret.NewToken("")
	_, err = s.Receive(ctx, in, Command{
		Chat: in.Chat, Workspace: c.TeamID, WorkspaceDomain: c.TeamDomain, ChannelID: c.ChannelID, ChannelName: c.ChannelName, Thread: c.Thread,
		UserID: c.ChatUserID, UserName: c.ChatUserName, Trigger: c.TriggerWord, Text: c.Text, DeliveryKey: key, Kind: d.Kind, As: by.User.ID,
	})
	if err != nil {
		return nil, err
	}
	row, err := s.byKey(ctx, key)
	if err != nil {
		return nil, err
	}
	return row, s.db.Write(ctx, func(tx *models.Tx) error {
		return tx.Audit(&models.AuditEvent{
			UserID: &by.User.ID, Action: "chat_command_replayed", EntityType: "project", EntityID: in.ProjectID, Details: fmt.Sprintf("%s delivery %d as command %d", in.Chat, d.ID, row.ID), IPAddress: by.IP,
		})
	})
}

// Ways that something is sent.
const (
	viaAddress = "response address"
	viaBot     = "bot"
)

func (m Message) postKind() enum.PostKind {
	switch {
	case m.Kind == Notice && m.Output != "":
		return enum.PostWhisper
	case m.Kind == Notice || m.Kind == Announced:
		return enum.PostAnswer
	}
	return enum.PostMessage
}

// tried notes with a command how a try to send something of it ended, and passes the error on.
func (s *Service) tried(ctx context.Context, c *models.ChatCommand, kind enum.PostKind, via string, cause error) error {
	if c == nil {
		return cause
	}
	s.noteTry(ctx, &models.ChatPost{CommandID: c.ID, Kind: kind, Via: via}, cause)
	return cause
}

// posted sends as the bot, and notes with the command how that ended.
func (s *Service) posted(ctx context.Context, c *models.ChatCommand, to Target, m Message) (Posted, error) {
	chat := s.chats[c.Chat]
	p, err := chat.Post(ctx, s.post, to, m)
	if err == nil {
		p = chat.Traits().lasting(p, m, s.db.Now())
	}
	s.noteTry(ctx, &models.ChatPost{CommandID: c.ID, Kind: m.postKind(), Via: viaBot, Detail: p.Note}, err)
	return p, err
}

func (s *Service) noteTry(ctx context.Context, p *models.ChatPost, cause error) {
	p.Outcome = enum.PostDelivered
	var refused *Refused
	switch {
	case cause == nil:
	case errors.As(cause, &refused), errors.Is(cause, errBlocked):
		p.Outcome, p.Detail = enum.PostRefused, cause.Error()
	default:
		p.Outcome, p.Detail = enum.PostDelayed, cause.Error()
	}
	err := s.db.Write(context.WithoutCancel(ctx), func(tx *models.Tx) error { return tx.AddChatPost(p) })
	if err != nil {
		s.log.WarnContext(ctx, "a try to reach a chat is not noted", "command", p.CommandID, "error", err)
	}
}

// SendTest tells of a connection what can be told from here, and sends a message to a channel, if one is named.
func (s *Service) SendTest(ctx context.Context, by access.Actor, p *models.Project, in *models.ChatIntegration, channel string) (string, error) {
	report, err := s.Test(ctx, p, in.Chat)
	if err != nil || channel == "" {
		return report, err
	}
	text := "signalbox is connected to this channel for [" + p.FullPath + "](" + s.ci.URL() + "/" + p.FullPath + "); " + by.User.Name + " tried it."
	if err := s.testPost(ctx, in, channel, text); err != nil {
		return "", err
	}
	return "The message is in the channel. " + report, nil
}
