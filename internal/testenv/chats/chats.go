// Package chats plays the servers of chats for tests: strictly, by what the chats' own documentation says, with faults on demand
// and a page that draws what people would see. It knows nothing of signalbox but the addresses that chats are told.
package chats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bot is the author of what the bot says.
const Bot = "signalbox"

// Message is one message as the chat keeps it.
type Message struct {
	ID      string
	Channel string
	Thread  string // id of the message it answers
	To      string // the user who alone sees it; "" is everyone
	Author  string
	Text    string // in the chat's markup
	Cards   []Card
	Buttons []Button
	Files   []File
	At      time.Time
	Edits   []Edit // what it showed before, oldest first
	Token   string // with which it was sent, where that is told
	Handle  bool   // it came through the address of a command
	Key     string // by which the bot knows it again
}

// Card is a part with a frame or a block of its own.
type Card struct {
	Color, Title, Text string
	Fields             []Field
	Small              bool
	Buttons            []Button
}

// Field is a name with a value.
type Field struct {
	Title, Value string
	Short        bool
}

// Button is what can be pressed.
type Button struct {
	Label, Style string
	Link         string // it opens an address, and tells nobody
	ID, Value    string
	Address      string // where the press goes, if the button says so
}

// button finds a button of a message by its label, which must be there.
func (s *Server) button(m Message, label string) Button {
	s.t.Helper()
	b, ok := m.Button(label)
	if !ok {
		s.t.Fatalf("no button %q in %q: %v", label, m.Read(), m.Labels())
	}
	return b
}

// File is what was sent as one.
type File struct {
	ID, Name, Title, Type string
	Content               []byte
}

// Edit is what a message showed before.
type Edit struct {
	Text    string // all that was to be read
	Buttons []string
	At      time.Time // when it was changed
}

// Read is all that a person reads of a message, without the chat's markup for safe text.
func (m Message) Read() string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	add(m.Text)
	for _, c := range m.Cards {
		add(c.Title)
		add(c.Text)
		for _, f := range c.Fields {
			add(strings.TrimLeft(f.Title+": "+f.Value, ": "))
		}
	}
	return strings.Join(parts, "\n")
}

// Labels are the buttons of a message.
func (m Message) Labels() []string {
	out := []string{}
	for _, b := range m.allButtons() {
		out = append(out, b.Label)
	}
	return out
}

func (m Message) allButtons() []Button {
	all := append([]Button{}, m.Buttons...)
	for _, c := range m.Cards {
		all = append(all, c.Buttons...)
	}
	return all
}

// Button finds a button by its label.
func (m Message) Button(label string) (Button, bool) {
	for _, b := range m.allButtons() {
		if b.Label == label {
			return b, true
		}
	}
	return Button{}, false
}

// Fault is what goes wrong with the next calls of a kind.
type Fault struct {
	Kind   string // respond, post, update, whisper, upload, form; "" is any
	Times  int    // -1: until Heal
	Status int    // answered so; 0 with Inside set: 200 with an error inside
	Inside string // the error's name in the chat's own form
	Text   string // only with calls that hold it
	Body   string // the answer as it is, with the status
	After  time.Duration
	Hang   bool // no answer comes
	Taken  bool // the message is shown all the same: the answer is lost
}

// Call is one request that came.
type Call struct {
	Kind, Path string
	Status     int
	At         time.Time
}

// Server is what all chats share.
type Server struct {
	*httptest.Server
	Token string           // of the bot
	Now   func() time.Time // may be changed before the first call
	Limit time.Duration    // between two messages in a channel; 0: none
	Blind bool             // the bot may not read channels; set before the first call

	t        testing.TB
	mu       sync.Mutex
	number   int
	messages []*Message
	faults   []*Fault
	calls    []Call
	wrong    []string
	absent   map[string]bool
	handles  map[string]*handle
	pending  map[string]*File
	last     map[string]time.Time
	made     map[string]string // by the ids of commands; of the test's goroutine
	hanging  chan struct{}
	draw     drawing
	forms    []*Form
	triggers map[string]*trigger
}

// handle is a response address.
type handle struct {
	channel, thread, user string
	made                  time.Time
	posts                 int
	deferred              int    // Discord: flags of an answer that is due, -1 if none is
	original              string // id of the first answer
}

// endpoint answers one call under the lock.
type endpoint func(r *http.Request, body []byte) (status int, answer any)

func newServer(t testing.TB, token string, draw drawing) *Server {
	s := &Server{
		Token: token, Now: time.Now, t: t, absent: map[string]bool{}, handles: map[string]*handle{}, pending: map[string]*File{},
		last: map[string]time.Time{}, made: map[string]string{}, hanging: make(chan struct{}), draw: draw,
		triggers: map[string]*trigger{},
	}
	return s
}

func (s *Server) serve(route func(r *http.Request) (kind string, e endpoint), failed func(f *Fault) (status int, answer any)) {
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/file/") {
			s.page(w, r)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 32<<20))
		if err != nil {
			return
		}
		kind, e := route(r)
		if e == nil {
			s.Complain("there is no %s %s", r.Method, r.URL.Path)
			http.NotFound(w, r)
			return
		}
		s.mu.Lock()
		f := s.fault(kind, body)
		var status int
		var answer any
		if f == nil || f.Taken {
			status, answer = e(r, body)
		}
		if f != nil && f.Hang {
			s.calls = append(s.calls, Call{kind, r.URL.Path, 0, s.Now()})
			s.mu.Unlock()
			select {
			case <-r.Context().Done():
			case <-s.hanging:
			}
			return
		}
		if f != nil {
			if status, answer = f.Status, f.Body; f.Body == "" {
				status, answer = failed(f)
			}
			if f.After != 0 {
				w.Header().Set("Retry-After", strconv.FormatFloat(f.After.Seconds(), 'f', -1, 64))
			}
		}
		s.calls = append(s.calls, Call{kind, r.URL.Path, status, s.Now()})
		s.mu.Unlock()
		if text, ok := answer.(string); ok {
			w.WriteHeader(status)
			io.WriteString(w, text)
			return
		}
		if limited, ok := answer.(waiting); ok {
			w.Header().Set("Retry-After", strconv.FormatFloat(limited.after.Seconds(), 'f', -1, 64))
			answer = limited.answer
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(answer)
	}))
	s.t.Cleanup(func() {
		close(s.hanging)
		s.Close()
	})
}

// waiting is an answer that says how long to wait.
type waiting struct {
	answer any
	after  time.Duration
}

// fault takes the next fault of a kind.
func (s *Server) fault(kind string, body []byte) *Fault {
	for i, f := range s.faults {
		if f.Kind != "" && f.Kind != kind || !bytes.Contains(body, []byte(f.Text)) {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		if f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f
	}
	return nil
}

// Fail makes the next calls fail.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Leave takes the bot out of a channel.
func (s *Server) Leave(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.absent[channel] = true
}

// Complain notes what a client of the chat does wrong.
func (s *Server) Complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complain(format, args...)
}

func (s *Server) complain(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// Wrong are the things that no client may do, as they were done.
func (s *Server) Wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.wrong...)
}

// Calls are the requests of a kind that came; "" is all.
func (s *Server) Calls(kind string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if kind == "" || c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}

// Shown is what a user sees in a channel, in order; files count as messages.
func (s *Server) Shown(channel, user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.messages {
		if m.Channel == channel && (m.To == "" || m.To == user) {
			out = append(out, *m)
		}
	}
	return out
}

// Said is what the bot says that a user sees.
func (s *Server) Said(channel, user string) []Message {
	var out []Message
	for _, m := range s.Shown(channel, user) {
		if m.Author == Bot {
			out = append(out, m)
		}
	}
	return out
}

// Message finds one by its id.
func (s *Server) Message(id string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(id); m != nil {
		return *m, true
	}
	return Message{}, false
}

func (s *Server) find(id string) *Message {
	for _, m := range s.messages {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// keyed finds what the bot posted with a key, not longer ago than the chat remembers it.
func (s *Server) keyed(key string, remembers time.Duration) *Message {
	for _, m := range s.messages {
		if key != "" && m.Key == key && m.Author == Bot && s.Now().Sub(m.At) < remembers {
			return m
		}
	}
	return nil
}

// next is a number that was not used before.
func (s *Server) next() int {
	s.number++
	return s.number
}

func (s *Server) show(m *Message) *Message {
	m.At = s.Now()
	if m.Author == "" {
		m.Author = Bot
	}
	s.messages = append(s.messages, m)
	return m
}

// edit puts other contents in the place of a message's.
func (s *Server) edit(m *Message, with Message) {
	m.Edits = append(m.Edits, Edit{m.Read(), m.Labels(), s.Now()})
	m.Text, m.Cards, m.Buttons = with.Text, with.Cards, with.Buttons
}

// hurried says how long a channel must rest, if it must.
func (s *Server) hurried(channel string) time.Duration {
	if s.Limit == 0 {
		return 0
	}
	now := s.Now()
	if wait := s.last[channel].Add(s.Limit).Sub(now); wait > 0 {
		return wait
	}
	s.last[channel] = now
	return 0
}

// strict reads JSON into a value and says which members are unknown.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// Command is a slash command that somebody gives.
type Command struct {
	Channel, ChannelName, User, Text string
	Thread                           string                // in chats where commands work in threads
	ID                               string                // the same for a repeated delivery; "" makes one
	Change                           func(r *http.Request) // spoils the request
	Stamp                            time.Time             // of the signature; zero is now
}

// Receipt is how a request of the chat was answered.
type Receipt struct {
	Status  int
	Body    string
	Message Message // shown, if the answer was one
}

var (
	everyone  = regexp.MustCompile(`@(everyone|here|channel|all)\b`)
	slackPing = regexp.MustCompile(`<(![^>]*|@[^>]*|#[^>]*)>`)
)

// Pings are the people and groups whom a message calls, by what the chat makes of its text.
func (s *Server) Pings(m Message) []string {
	if s.draw.slack {
		return slackPing.FindAllString(m.Read(), -1)
	}
	text := m.Read()
	var plain strings.Builder
	for {
		at := fences.FindStringIndex(text)
		if at == nil {
			break
		}
		mark := text[at[0]:at[1]]
		_, rest, closed := strings.Cut(text[at[1]:], mark)
		if !closed {
			break
		}
		plain.WriteString(text[:at[0]] + " ")
		text = rest
	}
	plain.WriteString(text)
	return everyone.FindAllString(code.ReplaceAllString(plain.String(), ""), -1)
}
