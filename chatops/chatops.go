// Package chatops takes commands from chats and answers them: who gave a command, which job it means, what
// the job replied, and where the reply goes. It calls the engine as the linked user and nobody else. The
// chats' own requests and posts are in its folders (facts: chatops, chatops-page).
package chatops

import (
	"context"
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
)

// The limits of a chat's response address: both Slack and Mattermost serve it so long and so often.
const (
	Window   = 30 * time.Minute
	MaxPosts = 5
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
	DeliveryKey     string // the same for a repeated delivery of the same command
}

// Answer is what the chat shows at once. Links in the text are written [text](address).
type Answer struct {
	Text      string
	InChannel bool
}

// Message is something that a chat is to show later.
type Message struct {
	Kind        MessageKind
	ChatUserID  string
	StartedBy   string // name and page of the user who ran the job
	StartedByAt string
	JobName     string
	JobID       int64
	JobURL      string
	Text        string  // of a notice, or why the job failed
	Output      string  // of the job, in ANSI colours
	Section     Section // that the output was taken from
	KeepANSI    bool
}

// MessageKind tells messages apart.
type MessageKind int

// The kinds of messages.
const (
	Notice    MessageKind = iota // an answer that came too late for the request
	Succeeded                    // a job's reply
	Failed                       // a job that did not succeed
)

// Chat renders messages and sends them where no response address reaches.
type Chat interface {
	// Render gives the body of a post to a response address.
	Render(Message) ([]byte, error)
	// ResponseHosts are where response addresses may lie without being named in the integration.
	ResponseHosts() []string
	// Post sends a message with the integration's bot token. origin is scheme and host of the command's
	// response address.
	Post(ctx context.Context, p Poster, botToken, origin, channelID, thread string, m Message) error
}

// Service takes commands and answers them.
type Service struct {
	ci    *ci.Coordinator
	db    *models.DB
	keys  *secret.Keyring
	tasks *tasks.Runner
	hub   *events.Hub
	log   *slog.Logger
	chats map[enum.Chat]Chat
	post  *poster
}

// Options say how the service reaches chats.
type Options struct {
	Chats        map[enum.Chat]Chat
	PrivateHosts []string      // hosts in private networks that replies may go to
	PostTimeout  time.Duration // of one post; 0 means 15 seconds
}

// New makes the service and registers its tasks.
func New(c *ci.Coordinator, t *tasks.Runner, log *slog.Logger, o Options) *Service {
	if o.PostTimeout == 0 {
		o.PostTimeout = 15 * time.Second
	}
	s := &Service{
		ci: c, db: c.DB(), keys: c.Keys(), tasks: t, hub: c.Hub(), log: log, chats: o.Chats, post: newPoster(o.PrivateHosts, o.PostTimeout),
	}
	t.Handle(taskRun, s.run)
	t.Handle(taskAcknowledge, s.acknowledgeLate)
	t.Handle(ci.TaskChatReply, s.reply)
	return s
}

// topic is announced when a command changes.
func topic(key string) string { return "command:" + key }
