// Package chatops takes commands from chats and answers them: who gave a command, which job it means, what
// the job replied, and where the reply goes. It calls the engine as the linked user and nobody else. The
// chats' own requests and posts are in its folders (facts: chatops, chatops-page).
package chatops

import (
	"fmt"
	"log/slog"
	"time"

	"signalbox/ci"
	"signalbox/ci/tasks"
	"signalbox/internal/events"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Kinds of durable tasks of this package, besides ci.TaskChatReply.
const (
	taskRun         = "run-command"
	taskAcknowledge = "chat-acknowledge"
	taskLive        = "chat-live"
	taskUpload      = "chat-upload"
	taskGiveUp      = "chat-approval-end"
	taskSend        = "chat-notification"
)

// MaxReply is how many bytes of a reply a chat gets in one message, as GitLab allows.
const MaxReply = 3584

// Command is a command as a chat gave it.
type Command struct {
	Chat            enum.Chat
	Workspace       string // team id
	WorkspaceDomain string
	ChannelID       string
	ChannelName     string
	Thread          string
	UserID          string // in the chat
	UserName        string
	Trigger         string // the word that calls us, such as /ops
	Text            string
	ResponseURL     string
	Deferred        bool              // the request cannot carry the answer
	MessageID       string            // of the bot's message whose button was pressed
	Turn            int64             // newest attempt of the pipeline that the button was about; 0: it was about none
	DeliveryKey     string            // the same for a repeated delivery of the same command
	Kind            enum.DeliveryKind // "" is a slash command
	As              int64             // if not 0: the only user that the chat user may be
}

// Answer is what the chat shows at once. Links in the text are written [text](address).
type Answer struct {
	Text      string
	InChannel bool
	Pending   bool // more is to come: the text only says so
	Refused   bool
	Buttons   []Button
	ActionURL string // where presses go, for chats that ask for it
	form      int64  // number of the command whose arguments a form can ask for
}

// Service takes commands and answers them.
type Service struct {
	ci     *ci.Coordinator
	db     *models.DB
	keys   *secret.Keyring
	tasks  *tasks.Runner
	hub    *events.Hub
	log    *slog.Logger
	chats  map[enum.Chat]*outlet
	budget *budget
	post   *poster
	crowd  crowd
	notes  notes
	hidden hidden
	gates  gates
}

// Options say how the service reaches chats.
type Options struct {
	Chats        map[enum.Chat]Chat
	PrivateHosts []string      // hosts in private networks that replies may go to
	PostTimeout  time.Duration // of one post; 0 means 15 seconds
	Pace         Counter       // of messages to a channel, for several nodes together; nil: there is one
}

// New makes the service and registers its tasks.
func New(c *ci.Coordinator, t *tasks.Runner, log *slog.Logger, o Options) *Service {
	if o.PostTimeout == 0 {
		o.PostTimeout = 15 * time.Second
	}
	s := &Service{
		ci: c, db: c.DB(), keys: c.Keys(), tasks: t, hub: c.Hub(), log: log, post: newPoster(o.PrivateHosts, o.PostTimeout),
	}
	s.budget = newBudget(s.db.Now, o.Pace)
	s.chats = outlets(o.Chats, s.budget)
	t.Handle(taskRun, s.run, tasks.Tries(mostTries), tasks.GivenUp(s.endRun))
	t.Handle(taskAcknowledge, s.acknowledgeLate, tasks.Tries(mostTries), tasks.GivenUp(s.endAnswer))
	t.Handle(taskLive, s.live, tasks.Tries(mostTries), tasks.GivenUp(s.endShown))
	t.Handle(taskUpload, s.upload, tasks.Tries(mostTries), tasks.GivenUp(s.endUpload))
	t.Handle(taskGiveUp, s.giveUp, tasks.Tries(replyTries), tasks.GivenUp(s.endWait))
	t.Handle(ci.TaskChatNotify, s.notify, tasks.Tries(mostTries))
	t.Handle(taskSend, s.sendNotification, tasks.Tries(mostTries))
	t.Handle(ci.TaskChatReply, s.reply, tasks.Tries(replyTries), tasks.GivenUp(s.endReply))
	return s
}

// topic is announced when a command changes.
func topic(key string) string { return "command:" + key }

// TopicCommands is announced when a command of a project changes.
func TopicCommands(project int64) string { return fmt.Sprint("commands:", project) }

func (s *Service) changed(c *models.ChatCommand) {
	s.hub.Publish(topic(c.DeliveryKey))
	s.hub.Publish(TopicCommands(c.ProjectID))
}
