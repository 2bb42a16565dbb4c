package chatops

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Chat is one chat service: how it shows messages, and how they reach it. Errors are *Refused if it will never take the
// message, *Busy if it asks to wait; after any other the same is tried again.
type Chat interface {
	Traits() Traits
	// Respond sends to the handle of a command, which the command's request named.
	Respond(ctx context.Context, p Poster, to Target, m Message) error
	// Post sends as the bot. Of a message with a key there is one, however often it is sent, as far as the chat lets us.
	Post(ctx context.Context, p Poster, to Target, m Message) (Posted, error)
	// Update puts a message in the place of another one of the bot's.
	Update(ctx context.Context, p Poster, to Target, id string, m Message) error
	// Whisper shows a message to the user alone, as the bot.
	Whisper(ctx context.Context, p Poster, to Target, m Message) error
	// Upload sends a file as the bot.
	Upload(ctx context.Context, p Poster, to Target, f File) error
}

// Posted is a message that a chat took.
type Posted struct {
	ID   string // for Update; "" if the chat named none
	Note string // what people should know of how it came there
}

// ClockSkew is how far the clock of a chat may be from ours.
const ClockSkew = 5 * time.Minute

// Notes of posts whose earlier try had no answer.
const (
	NoteFound = "it was in the channel already: an earlier try had reached the chat, whose answer was lost"
	NoteBlind = "an earlier try had no answer, and the bot may not look whether it reached the channel: it may stand there twice"
	NoteLong  = "an earlier try had no answer, and was not found among the newest messages of the channel: it may stand there twice"
	NoteLate  = "an earlier try had no answer, and the chat knows posts again for some minutes only: it may stand there twice"
)

// Traits are what a chat can do.
type Traits struct {
	Hosts      []string               // where handles may lie without being named in the integration
	Window     time.Duration          // how long a handle serves
	Uses       int                    // how many posts it takes; 0: any number
	Limits     Limits                 // of one message
	Channel    func(name string) bool // whether a channel's name is one that people know; nil: every one is
	Live       bool                   // the bot can edit what it posted
	Files      bool                   // the bot can send files
	FormFields int                    // how many fields a form may have; 0: there are no forms
	OwnServer  bool                   // every team has one, which the integration names
	FormsFree  bool                   // forms need no bot
	Recalls    time.Duration          // how long the chat knows a post again by its key; 0: it can be found by that at any time
	AsksAlone  bool                   // what somebody asks for is seen by nobody else
	AnswerDue  bool                   // a command that is being worked on shows so until it has its answer, and the handle takes nothing else before
}

// Asker is a chat that is called to show a form, instead of being answered with it.
type Asker interface {
	// Ask shows a form to whoever pressed a button a moment ago, or gave a command, which trigger stands for.
	Ask(ctx context.Context, p Poster, to Target, trigger string, f Form) error
}

// Target is where a message goes.
type Target struct {
	Handle    string // response address or token
	Bot       string // the bot's token
	Server    string // scheme and host of the chat's server, for chats that have servers of their own
	App       string // id of the application
	Workspace string
	Channel   string
	Thread    string
	User      string // in the chat
}

// Request is one call to a chat.
type Request struct {
	Method        string // "" is POST
	Address       string
	Authorization string
	ContentType   string // "" is JSON
	Agent         string // who is calling; "" is signalbox
	Body          []byte
	Most          int // bytes of the answer that are read; 0 is 64 kB
}

// Response is what a chat answered.
type Response struct {
	Status     int
	Body       []byte // its beginning
	RetryAfter time.Duration
}

// OK says whether the chat took it.
func (r Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Failure is the error of an answer that is none of success; chat names who answered.
func (r Response) Failure(chat string) error {
	switch {
	case r.OK():
		return nil
	case r.Status == http.StatusTooManyRequests:
		return &Busy{After: r.RetryAfter, Reason: fmt.Sprintf("%s asks to wait (429)", chat)}
	case r.Status >= 500 || r.Status == http.StatusRequestTimeout:
		return fmt.Errorf("%s answers %d", chat, r.Status)
	case r.Status >= 300 && r.Status < 400:
		return &Refused{Reason: fmt.Sprintf("%s redirects (%d), which is not followed", chat, r.Status)}
	}
	return &Refused{Reason: fmt.Sprintf("%s answers %d", chat, r.Status), Contents: contents(r.Status)}
}

// contents says whether a status refuses a request for what it holds, rather than for whom or where it is.
func contents(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity
}

// Registrar is a chat that is told which commands there are.
type Registrar interface {
	Register(ctx context.Context, p Poster, to Target) error
}

// Poster calls a chat. It reaches no private network unless an administrator named the host, and follows no redirect.
type Poster interface {
	Do(ctx context.Context, r Request) (Response, error)
}

// Refused says that a chat does not take a message and never will.
type Refused struct {
	Reason   string
	Contents bool // for what the message holds: another one may be taken
	Over     bool // for the address, whose time or number of posts is over
}

func (r *Refused) Error() string { return r.Reason }

// Busy says that a chat takes nothing until a time is over; 0 if it did not say which.
type Busy struct {
	After  time.Duration
	Reason string
	Known  bool // it said so before, and was not asked again
}

func (b *Busy) Error() string { return b.Reason }
