package chatops

import "time"

// Message is something that a chat is to show, without a word of how.
type Message struct {
	Kind        MessageKind
	ChatUserID  string
	StartedBy   string // name and page of the user who ran the job
	StartedByAt string
	JobName     string
	JobID       int64
	JobURL      string
	Text        string // of a notice; how the job stands; or why it failed
	Output      string // of the job, in ANSI colours, as people see it
	Data        string // the same for programs, if that is another text
	Section     Section
	Rich        []Rich
	Private     string // for the asker alone
	Buttons     []Button
	AskedBy     string // who gave the command, and the command as it was given; "" if that stands there already
	Asked       string
	AgainBy     string // who asked for more of it since, and what; "" if nobody did
	Again       string
	ActionURL   string // where presses go, for chats that ask for it
	KeepANSI    bool
	Replaces    bool      // the message that the command's request was answered with
	Bare        bool      // it was refused with its blocks and buttons, and is text alone
	Cut         bool      // something is left out: a link leads to the whole
	CutOutput   bool      // it is something of the job's output
	Late        bool      // the answer that the request of a command did not get in time
	Key         string    // the same whenever this message is sent; at most 24 letters, digits, - and _
	Since       time.Time // if not zero: an earlier try, not before this, may have reached the chat
}

// MessageKind tells messages apart.
type MessageKind int

// The kinds of messages.
const (
	Notice    MessageKind = iota // an answer to the asker alone
	Announced                    // an answer to everyone
	Progress                     // how a job stands that has not ended
	Succeeded                    // a job's reply
	Failed                       // a job that did not succeed
	Waits                        // a pipeline of which nothing is left but jobs that somebody has to start
)

// Ends says whether a message is the reply, which takes the place of the one that followed the job.
func (m Message) Ends() bool { return m.Kind == Succeeded || m.Kind == Failed || m.Kind == Waits }

// Rich is a block that a job wrote as JSON into a chat_reply_json section.
type Rich struct {
	Text   string  `json:"text"`
	Fields []Field `json:"fields"`
	Links  []Link  `json:"links"`
	Image  *Image  `json:"image"`
}

// Field is a name with a value.
type Field struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

// Link leads somewhere over http.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// Image is a file of the job's artifacts.
type Image struct {
	Artifact string `json:"artifact"`
	Alt      string `json:"alt"`
	URL      string `json:"-"` // of its page
}

// File is sent to a chat as one.
type File struct {
	Name    string
	Title   string
	Content []byte
	Key     string // as that of a message
}
