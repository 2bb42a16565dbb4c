package chatops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// ConsoleCommand is a command of signalbox's own endpoint or page.
type ConsoleCommand struct {
	Text    string
	Channel string // a name; "" is the page's own
	Pressed bool   // a button of the page gave it
	Turn    int64  // newest attempt of the pipeline that the button was about; 0: it was about none
}

// Give takes a command from signalbox's own endpoint, as the authenticated user, and returns it with its
// acknowledgement if that came in time. The reply is read from the command. A channel there is no more than a name, and its own id.
func (s *Service) Give(ctx context.Context, a access.Actor, p *models.Project, in ConsoleCommand) (*models.ChatCommand, error) {
	if len(in.Text) > maxText {
		return nil, fault.New(fault.Invalid, "the command is too long")
	}
	channel := cmp.Or(in.Channel, string(enum.Console))
	row := &models.ChatCommand{
		ProjectID: p.ID, Chat: enum.Console, DeliveryKey: "console:" + secret.NewToken(""), ChannelID: channel, ChannelName: channel, ChatUserID: a.User.Username,
		ChatUserName: a.User.Username, UserID: &a.User.ID, Text: in.Text, State: enum.CommandAccepted, Turn: in.Turn,
	}
	if in.Pressed {
		row.TriggerWord = buttonTrigger
	}
	wake, stop := s.hub.Subscribe(topic(row.DeliveryKey))
	defer stop()
	err := s.db.Write(ctx, func(tx *models.Tx) error {
		row.ID = 0
		return s.accept(tx, row)
	})
	if err != nil {
		return nil, err
	}
	if _, err := s.wait(ctx, row.DeliveryKey, wake, s.crowd.patience(time.Now())); err != nil {
		return nil, err
	}
	return s.byKey(ctx, row.DeliveryKey)
}

// Reply takes the reply of a command apart: what its job said, and the blocks that it wrote as JSON.
func (s *Service) Reply(p *models.Project, c *models.ChatCommand) (text string, blocks []Rich) {
	if c.Reply == nil {
		return "", nil
	}
	text = *c.Reply
	if c.Rich == "" || json.Unmarshal([]byte(c.Rich), &blocks) != nil {
		return text, nil
	}
	for _, b := range blocks {
		if b.Image != nil && c.JobID != nil {
			b.Image.URL = s.jobURL(p, *c.JobID) + "/artifacts/file/" + (&url.URL{Path: b.Image.Artifact}).EscapedPath()
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, PlainRich(blocks)), "\n"), blocks
}

// Progress is what a running job says of how far it is, or its last lines, as a message that follows it shows them.
func (s *Service) Progress(ctx context.Context, j *models.Job) (string, error) { return s.said(ctx, j) }

// JobHelp is a job that chat may run, as lists show it.
type JobHelp struct {
	Name  string
	Usage string // how it is called
	Help  string // its first sentence
}

// Jobs lists the jobs that chat may run on the default branch.
func (s *Service) Jobs(ctx context.Context, a access.Actor, p *models.Project) ([]JobHelp, error) {
	jobs, _, err := s.chatJobs(ctx, a, p, "")
	var asks *asksFirst
	if errors.As(err, &asks) {
		return []JobHelp{{"pipeline", asks.usage(), "The configuration must be given its inputs."}}, nil
	}
	var out []JobHelp
	for _, j := range jobs[:min(maxListed, len(jobs))] {
		out = append(out, JobHelp{j.Name, j.usage(), j.summary()})
	}
	return out, err
}
