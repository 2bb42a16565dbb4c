package slack

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox/chatops"
)

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// markup writes links as Slack does and lets nothing else be one.
func markup(text string) string {
	return chatops.Links(text, escaper.Replace, link)
}

func link(text, address string) string {
	return "<" + escaper.Replace(address) + "|" + strings.ReplaceAll(escaper.Replace(text), "|", "¦") + ">"
}

// limits are Slack's, in characters (facts: chatops 2). A text of up to 4,000 is shown whole.
var limits = chatops.Limits{
	Size: size, Alone: textChars, Head: textChars, Said: 600, Bytes: chatops.MaxReply, Output: 3600, Progress: 1500, Whole: 12_500, Rich: 8000, Blocks: 20,
	Block: sectionChars, Fields: 20, Title: 150, Value: 1500, Links: sectionChars, Buttons: 25, Label: 75, Button: 0,
}

func size(text string) int { return utf8.RuneCountInString(escaper.Replace(text)) }

// textChars is what a message's text may have: longer ones are split, which breaks blocks of code.
const textChars = 4000

// Text is a message as Slack shows it where it has no blocks, and as it is read out.
func (Chat) Text(m chatops.Message) string {
	out := head(m)
	if len(m.Rich) == 0 {
		return out
	}
	rich := strings.TrimSuffix(limits.Short(chatops.PlainRich(m.Rich), textChars-utf8.RuneCountInString(out)-10), "\n")
	return strings.TrimLeft(out+"\n", "\n") + escaper.Replace(rich)
}

// head is a message without the blocks that a job wrote: who asked for what, how it is, and its output.
func head(m chatops.Message) string {
	if (m.Kind == chatops.Notice || m.Kind == chatops.Announced) && m.Output == "" {
		return strings.TrimLeft(asked(m)+"\n"+markup(m.Text)+whole(m), "\n")
	}
	output := escaper.Replace(m.Output)
	if m.Kind == chatops.Progress && output != "" {
		output = "```\n" + strings.ReplaceAll(output, "```", "'''") + "\n```"
	}
	job := link(fmt.Sprintf("%s #%d", m.JobName, m.JobID), m.JobURL)
	said := escaper.Replace(m.Text)
	switch first := asked(m); {
	case first != "":
		if said == "" && m.Kind == chatops.Succeeded {
			said = "succeeded"
		}
		return strings.TrimRight(first+"\n"+job+" "+said+"\n"+output+whole(m), "\n")
	case said == "" && output == "":
		return strings.TrimSpace(mention(m) + job)
	case said == "":
		return strings.TrimRight(mention(m)+output+whole(m), "\n")
	case output == "":
		return mention(m) + job + " " + said + whole(m)
	}
	return mention(m) + job + " " + said + "\n" + output + whole(m)
}

// whole leads to what is left out.
func whole(m chatops.Message) string {
	switch {
	case !m.Cut || m.JobURL == "":
		return ""
	case m.CutOutput:
		return "\n" + link("The whole output", m.JobURL)
	}
	return "\n" + link("All of it", m.JobURL)
}

// mention calls whoever asked, in messages that end a command.
func mention(m chatops.Message) string {
	if m.ChatUserID == "" || m.Kind == chatops.Progress || m.Kind == chatops.Announced {
		return ""
	}
	return "<@" + escaper.Replace(m.ChatUserID) + ">: "
}

// asked is the line that says who asked for what; "" if that is not told.
func asked(m chatops.Message) string {
	switch {
	case m.Asked == "":
		return ""
	case m.Again == "":
		return who(m, m.AskedBy) + quoted(m.Asked)
	}
	return bold(m.AskedBy) + ": " + quoted(m.Asked) + ", then " + who(m, m.AgainBy) + quoted(m.Again)
}

// who is whoever the message is for.
func who(m chatops.Message, name string) string {
	if text := mention(m); text != "" {
		return text
	}
	if name == m.ChatUserID { // some requests name nobody
		return "<@" + escaper.Replace(name) + ">: "
	}
	return bold(name) + ": "
}

func bold(name string) string { return "*" + escaper.Replace(strings.ReplaceAll(name, "*", "")) + "*" }

func quoted(command string) string {
	return "`" + escaper.Replace(strings.ReplaceAll(command, "`", "'")) + "`"
}

// block is one block of Slack's Block Kit.
type block struct {
	Type     string `json:"type"`
	ID       string `json:"block_id,omitempty"`
	Text     *text  `json:"text,omitempty"`
	Fields   []text `json:"fields,omitempty"`
	Elements []any  `json:"elements,omitempty"`
}

type button struct {
	Type   string `json:"type"`
	Text   text   `json:"text"`
	Action string `json:"action_id"`
	Value  string `json:"value"`
	Style  string `json:"style,omitempty"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// Slack's bounds of blocks.
const (
	sectionChars = 3000 // characters of a text
	perSection   = 10   // fields
	perContext   = 10   // elements
	maxBlocks    = 50
)

func mrkdwn(s string) *text { return &text{"mrkdwn", s} }

// blocks shows what a job wrote as JSON, and buttons; nil for messages that are text alone, which keep the form that scripts know.
func blocks(m chatops.Message) []block {
	if len(m.Rich)+len(m.Buttons) == 0 {
		return nil
	}
	var out []block
	if m.Output != "" || m.Text != "" || m.Asked != "" {
		for _, part := range parts(head(m), sectionChars) {
			out = append(out, block{Type: "section", Text: mrkdwn(part)})
		}
	} else if m.ChatUserID != "" {
		out = append(out, block{Type: "section", Text: mrkdwn("<@" + escaper.Replace(m.ChatUserID) + ">" + whole(m))})
	}
	if m.Kind == chatops.Succeeded && m.Text == "" && m.Asked == "" && len(m.Buttons) > 0 { // the text names no job, and the buttons are about one
		out = append(out, block{Type: "context", Elements: []any{*mrkdwn(link(fmt.Sprintf("%s #%d", m.JobName, m.JobID), m.JobURL))}})
	}
	for _, r := range m.Rich {
		out = append(out, richBlocks(r)...)
	}
	if len(m.Buttons) == 0 {
		return out[:min(len(out), maxBlocks)]
	}
	return append(out[:min(len(out), maxBlocks-1)], actions(m.Buttons))
}

// richBlocks is one block that a job wrote.
func richBlocks(r chatops.Rich) (out []block) {
	for _, part := range parts(escaper.Replace(r.Text), sectionChars) {
		out = append(out, block{Type: "section", Text: mrkdwn(part)})
	}
	for fields := range slices.Chunk(r.Fields, perSection) {
		b := block{Type: "section"}
		for _, f := range fields {
			b.Fields = append(b.Fields, *mrkdwn("*" + escaper.Replace(f.Title) + "*\n" + escaper.Replace(f.Value)))
		}
		out = append(out, b)
	}
	var links []any
	for _, l := range r.Links {
		links = append(links, *mrkdwn(link(l.Text, l.URL)))
	}
	if r.Image != nil {
		links = append(links, *mrkdwn(link(firstOf(r.Image.Alt, r.Image.Artifact), r.Image.URL)))
	}
	for some := range slices.Chunk(links, perContext) {
		out = append(out, block{Type: "context", Elements: some})
	}
	return out
}

func actions(buttons []chatops.Button) block {
	out := block{Type: "actions"}
	for _, b := range buttons {
		out.Elements = append(out.Elements, button{"button", text{"plain_text", b.Label}, b.ID, b.Value, string(b.Style)})
	}
	return out
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// parts cuts text into pieces of at most so many characters, at line ends where that can be.
func parts(s string, limit int) []string {
	var out []string
	for s != "" {
		piece := short(s, limit)
		if len(piece) < len(s) {
			if i := strings.LastIndexByte(piece, '\n'); i > 0 {
				piece = piece[:i+1]
			} else if i := strings.LastIndexByte(piece, '&'); i > len(piece)-5 && i > 0 { // no half of &lt;
				piece = piece[:i]
			}
		}
		out, s = append(out, piece), s[len(piece):]
	}
	return out
}

// short is the beginning of a text.
func short(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}
