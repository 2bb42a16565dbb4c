package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// answerWithin is how long a chat waits for us; chats give up after three seconds. Among many commands each is answered as soon
// as it is stored, and its result follows on its own.
const (
	answerWithin = 2 * time.Second
	busyFrom     = 20 // commands in a second
	mostWaiting  = 5  // commands whose results are waited for at a time
)

// crowd counts the commands of this second and the one before, and those whose results are waited for.
type crowd struct {
	mu            sync.Mutex
	second        int64
	count, before int
	waiting       map[string]int // by delivery: each may have come more than once
	until         time.Time      // for which time there is a crowd because too many waited
	rush          chan struct{}  // closed when a crowd begins: who waits is answered, too
}

// patience is how long the answer to a command that comes now may take.
func (c *crowd) patience(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch at := now.Unix(); {
	case at == c.second:
	case at == c.second+1:
		c.second, c.before, c.count = at, c.count, 0
	default:
		c.second, c.before, c.count = at, 0, 0
	}
	c.count++
	if max(c.count, c.before) > busyFrom {
		c.begin(now)
	}
	if now.Before(c.until) {
		return 0
	}
	return answerWithin
}

// begin answers all who wait; c is locked.
func (c *crowd) begin(now time.Time) {
	c.until = now.Add(time.Second)
	if c.rush != nil {
		close(c.rush)
		c.rush = nil
	}
}

// join counts one more who waits for the result of a delivery. The channel is closed when nobody is to wait any more; leave must be
// called.
func (c *crowd) join(delivery string, now time.Time) (rush <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rush == nil {
		c.rush = make(chan struct{})
	}
	rush = c.rush
	if c.waiting == nil {
		c.waiting = map[string]int{}
	}
	if c.waiting[delivery]++; len(c.waiting) > mostWaiting {
		c.begin(now)
	}
	return rush
}

func (c *crowd) leave(delivery string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[delivery]--; c.waiting[delivery] == 0 {
		delete(c.waiting, delivery)
	}
}

// DeliveryKey is the same for two deliveries of one command: by the id that the chat gives it, and all that it
// says, with the response address, which each command has its own. Without both nothing tells two commands
// apart, and each is a new one.
func DeliveryKey(integration int64, c Command, id string) string {
	if id == "" && c.ResponseURL == "" {
		id = secret.NewToken("")
	}
	return string(c.Chat) + ":" + secret.Fingerprint(strconv.FormatInt(integration, 10), id, c.ResponseURL, c.Workspace, c.UserID, c.ChannelID, c.Text)
}

// maxText bounds the text of a command.
const maxText = 16 << 10

var working = Answer{Text: "Working on it…", Pending: true}

// Receive takes a command of a chat, whose request was proved genuine, and answers it within two seconds.
// Once it has answered, the command is stored and will end in a state that its page shows.
func (s *Service) Receive(ctx context.Context, in *models.ChatIntegration, c Command) (Answer, error) {
	if len(c.Text) > maxText {
		s.Note(in, c.asked(), enum.Refused, "the command is too long", http.StatusOK)
		return Answer{Text: "The command is too long; nothing was run."}, nil
	}
	if c.Trigger == buttonTrigger {
		var err error
		if c.DeliveryKey, err = s.pressKey(ctx, c.DeliveryKey); err != nil {
			return Answer{}, err
		}
	}
	row := s.row(in, c)
	wake, stop := s.hub.Subscribe(topic(row.DeliveryKey))
	defer stop()
	var answer Answer
	patience := s.crowd.patience(time.Now())
	err := s.db.Write(ctx, func(tx *models.Tx) (err error) {
		*row, answer = *s.row(in, c), Answer{} // the function may run twice
		row.Deferred = c.Deferred || patience == 0
		identity, err := tx.IdentityFor(in, c.Workspace, c.UserID)
		switch {
		case c.As != 0 && (errors.Is(err, models.ErrNotFound) || err == nil && identity.UserID != c.As):
			return errNotYours
		case err == nil && identity.Credential != in.Credential:
			if answer, err = s.unconfirmed(tx, in, c, row, identity); err != nil {
				return err
			}
			return tx.AddChatDelivery(noteOf(in, c.asked(), enum.UnknownUser, row))
		case err == nil:
			row.UserID = &identity.UserID
			if err := s.accept(tx, row); err != nil {
				return err
			}
			return tx.AddChatDelivery(noteOf(in, c.asked(), enum.Taken, row))
		case !errors.Is(err, models.ErrNotFound):
			return err
		}
		link, err := s.refuseUnknown(tx, in, c, row)
		if err != nil {
			return err
		}
		answer = unknownUser(link)
		return tx.AddChatDelivery(noteOf(in, c.asked(), enum.UnknownUser, row))
	})
	if errors.Is(err, models.ErrDuplicate) {
		s.Note(in, c.asked(), enum.Repeated, "", http.StatusOK)
		if c.Deferred {
			return Answer{}, nil
		}
		answer, err := s.repeated(ctx, row.DeliveryKey, patience)
		return s.withForm(in, answer), err
	}
	if err != nil {
		return Answer{}, err
	}
	if row.UserID == nil {
		answer.Refused = true
		return answer, nil
	}
	if c.Deferred {
		return Answer{}, nil
	}
	if patience == 0 {
		return working, nil
	}
	answer, err = s.wait(ctx, row.DeliveryKey, wake, patience)
	return s.withForm(in, answer), err
}

// withForm adds the button that opens a form to the answer to a command that was refused for its arguments.
func (s *Service) withForm(in *models.ChatIntegration, a Answer) Answer {
	if a.form != 0 && s.forms(in) {
		a.Buttons, a.ActionURL = []Button{s.formButton(in, "Fill in a form", Primary, a.form)}, s.actionURL(in)
	}
	return a
}

func (s *Service) row(in *models.ChatIntegration, c Command) *models.ChatCommand {
	row := &models.ChatCommand{
		ProjectID: in.ProjectID, IntegrationID: &in.ID, Chat: c.Chat, DeliveryKey: c.DeliveryKey, TeamID: c.Workspace,
		TeamDomain: c.WorkspaceDomain, ChannelID: c.ChannelID, ChannelName: c.ChannelName, Thread: c.Thread, ChatUserID: c.UserID,
		ChatUserName: c.UserName, TriggerWord: c.Trigger, Text: c.Text, State: enum.CommandAccepted, Deferred: c.Deferred, MessageID: c.MessageID,
		Turn: c.Turn,
	}
	if c.ResponseURL != "" {
		row.ResponseURL = s.keys.Seal(row.Place(), c.ResponseURL)
	}
	return row
}

// accept stores a command and its task together: a command that was answered is never lost.
func (s *Service) accept(tx *models.Tx, row *models.ChatCommand) error {
	if err := tx.CreateCommand(row); err != nil {
		return err
	}
	key := fmt.Sprintf("%s:%d", taskRun, row.ID)
	tx.AfterCommit(func() {
		s.tasks.Wake()
		s.hub.Publish(TopicCommands(row.ProjectID))
	})
	return tx.AddTask(&models.Task{Kind: taskRun, Lane: models.LaneCommands, Share: tasks.ShareOf(row.ProjectID), Key: &key, Payload: payload(row.ID)})
}

func payload(id int64) string {
	b, _ := json.Marshal(map[string]int64{"command": id}) // a map of numbers
	return string(b)
}

// refuseUnknown stores the command of a chat user whom nobody knows, and makes a page on which it is linked.
func (s *Service) refuseUnknown(tx *models.Tx, in *models.ChatIntegration, c Command, row *models.ChatCommand) (string, error) {
	now := tx.Now()
	row.State, row.Refusal, row.Answered, row.FinishedAt = enum.CommandRefused, "the chat user is not linked to a signalbox user", true, &now
	if err := tx.CreateCommand(row); err != nil {
		return "", err
	}
	if c.Workspace == "" || c.UserID == "" {
		return "", nil
	}
	token := secret.NewToken("")
	err := tx.CreateLink(&models.ChatLink{
		TokenHash: secret.Hash(token), IntegrationID: in.ID, Chat: c.Chat, TeamID: c.Workspace, TeamDomain: c.WorkspaceDomain,
		ChatUserID: c.UserID, ChatUserName: c.UserName, ExpiresAt: now.Add(linkTime),
	})
	return s.ci.URL() + "/-/profile/chat_names/new?token=" + token, err
}

func unknownUser(link string) Answer {
	if link == "" {
		return Answer{Text: ":sweat_smile: Couldn't identify you, nor can I authorize you!"}
	}
	return Answer{Text: ":wave: Hi there! Before I do anything for you, please [connect your signalbox account](" + link + "). " +
		"The page is good for 10 minutes and once; then give the command again."}
}

// repeated answers a delivery that came before: with what became of it.
func (s *Service) repeated(ctx context.Context, key string, patience time.Duration) (Answer, error) {
	wake, stop := s.hub.Subscribe(topic(key))
	defer stop()
	c, err := s.byKey(ctx, key)
	if err != nil {
		return Answer{}, err
	}
	if c.UserID == nil {
		return Answer{Text: "This command was answered before: connect your account first, then give it again."}, nil
	}
	return s.wait(ctx, key, wake, patience)
}

func (s *Service) byKey(ctx context.Context, key string) (c *models.ChatCommand, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		c, err = tx.CommandByDelivery(key)
		return err
	})
	return c, err
}

// wait answers with the result of a command, or that it is being worked on.
func (s *Service) wait(ctx context.Context, key string, wake <-chan struct{}, patience time.Duration) (Answer, error) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	rush := s.crowd.join(key, time.Now())
	defer s.crowd.leave(key)
	for {
		c, err := s.byKey(ctx, key)
		if err != nil {
			return Answer{}, err
		}
		if c.State != enum.CommandAccepted && announcedByBot(c) {
			return Answer{}, nil
		}
		if c.State != enum.CommandAccepted {
			s.markAnswered(ctx, c)
			return s.fitted(ctx, c, answerOf(c)), nil
		}
		select {
		case <-wake:
		case <-timeout.C:
			return working, s.later(ctx, c.ID)
		case <-rush:
			return working, s.later(ctx, c.ID)
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
}

// later lets the answer to a command follow as soon as there is one, on its own.
func (s *Service) later(ctx context.Context, id int64) error {
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.DeferCommand(id) })
}

func answerOf(c *models.ChatCommand) Answer {
	if c.State == enum.CommandRefused {
		a := Answer{Text: c.Refusal, Refused: true}
		if c.Fillable {
			a.form = c.ID
		}
		return a
	}
	return Answer{Text: c.Acknowledgement, InChannel: c.InChannel}
}

// fitted is an answer as much of it as the chat takes, with a link to the whole if it is more; where nobody else sees a command, what is
// for everyone says who gave it.
func (s *Service) fitted(ctx context.Context, c *models.ChatCommand, a Answer) Answer {
	t := s.traits(c)
	if a.InChannel && t.AsksAlone && c.TriggerWord != buttonTrigger {
		m := Message{}
		if err := s.askedFor(ctx, c, &m, nil); err == nil {
			a.Text = m.AskedBy + ": " + code(m.Asked) + "\n" + a.Text
		}
	}
	m := t.Limits.Fit(Message{Text: a.Text})
	if m.Cut {
		m.JobURL, m.Text = s.commandURL(ctx, c), a.Text
		m = t.Limits.Fit(m)
		m.Text += "\n[All of it](" + m.JobURL + ")"
	}
	a.Text = m.Text
	return a
}

// markAnswered notes that the answer went out with the chat's own request, so that nobody sends it again.
func (s *Service) markAnswered(ctx context.Context, c *models.ChatCommand) {
	if c.Answered {
		return
	}
	err := s.db.Write(context.WithoutCancel(ctx), func(tx *models.Tx) error { return tx.MarkAnswered(c.ID) })
	if err != nil {
		s.log.WarnContext(ctx, "an answer may be sent twice", "command", c.ID, "error", err)
	}
}

// allowedHost says whether replies may go to an address: to the chat's own hosts, or to one that the
// integration names, over HTTPS unless the integration says otherwise.
func (s *Service) allowedHost(in *models.ChatIntegration, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fault.New(fault.Invalid, "the response address is not an http address")
	}
	for _, h := range s.chats[in.Chat].Traits().Hosts {
		if u.Scheme == "https" && strings.EqualFold(u.Host, h) {
			return nil
		}
	}
	for _, h := range in.ReplyHosts {
		if strings.EqualFold(u.Host, h) {
			return nil
		}
	}
	return fault.New(fault.Forbidden, "the integration does not allow replies to %s; a maintainer can add the host there", u.Host)
}
