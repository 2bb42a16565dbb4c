package slack

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"signalbox/chatops"
	"signalbox/internal/terminal"
)

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// markup writes links as Slack does and lets nothing else be one.
func markup(text string) string {
	return chatops.Links(text, escaper.Replace, link)
}

func link(text, address string) string {
	return "<" + escaper.Replace(address) + "|" + strings.ReplaceAll(escaper.Replace(text), "|", "¦") + ">"
}

// Text is a message as Slack shows it.
func (Chat) Text(m chatops.Message) string {
	mention := ""
	if m.ChatUserID != "" && m.Kind != chatops.Progress && m.Kind != chatops.Announced {
		mention = "<@" + escaper.Replace(m.ChatUserID) + ">: "
	}
	output := m.Output
	if !m.KeepANSI {
		output = terminal.Strip(output)
	}
	limit := outputChars
	if m.Kind == chatops.Progress {
		limit = progressChars
	}
	text, cut := shown(output, limit)
	if m.Kind == chatops.Progress && text != "" {
		text = "```\n" + strings.ReplaceAll(text, "```", "'''") + "\n```"
	}
	job := link(fmt.Sprintf("%s #%d", m.JobName, m.JobID), m.JobURL)
	if cut {
		text += "\n" + link("The whole output", m.JobURL)
	}
	switch {
	case (m.Kind == chatops.Notice || m.Kind == chatops.Announced) && text == "":
		return markup(m.Text)
	case m.Text == "" && text == "" && len(m.Rich) > 0:
		return mention + escaper.Replace(chatops.PlainRich(m.Rich))
	case m.Text == "":
		return mention + text
	case text == "":
		return mention + job + " " + escaper.Replace(m.Text)
	}
	return mention + job + " " + escaper.Replace(m.Text) + "\n" + text
}

// shown is an output as Slack wants it, and whether it had to be shortened: what is escaped may be five times as long.
func shown(output string, limit int) (text string, cut bool) {
	for most := chatops.MaxReply; ; most = most * 7 / 8 {
		part, cut := chatops.Shorten(output, most)
		if text = escaper.Replace(part); utf8.RuneCountInString(text) <= limit {
			return text, cut
		}
	}
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

// Slack's bounds, in characters.
const (
	sectionChars = 3000
	fieldChars   = 2000
	perSection   = 10 // fields
	maxBlocks    = 50
	// A message has 4,000; the rest is for the job, who asked and a link.
	outputChars   = 3600
	progressChars = 1500
)

func mrkdwn(s string) *text { return &text{"mrkdwn", s} }

// blocks shows what a job wrote as JSON; nil for messages that are text alone, which keep the form that scripts know.
func blocks(plain string, m chatops.Message) []block {
	if len(m.Rich)+len(m.Buttons) == 0 {
		return nil
	}
	var out []block
	if m.Output != "" || m.Text != "" {
		for _, part := range parts(plain, sectionChars) {
			out = append(out, block{Type: "section", Text: mrkdwn(part)})
		}
	} else if m.ChatUserID != "" {
		out = append(out, block{Type: "section", Text: mrkdwn("<@" + escaper.Replace(m.ChatUserID) + ">")})
	}
	if m.Kind == chatops.Succeeded && m.Text == "" && len(m.Buttons) > 0 { // the text names no job, and the buttons are about one
		out = append(out, block{Type: "context", Elements: []any{*mrkdwn(link(fmt.Sprintf("%s #%d", m.JobName, m.JobID), m.JobURL))}})
	}
	for _, r := range m.Rich {
		for _, part := range parts(escaper.Replace(r.Text), sectionChars) {
			out = append(out, block{Type: "section", Text: mrkdwn(part)})
		}
		for from := 0; from < len(r.Fields); from += perSection {
			b := block{Type: "section"}
			for _, f := range r.Fields[from:min(len(r.Fields), from+perSection)] {
				b.Fields = append(b.Fields, *mrkdwn(short("*"+escaper.Replace(f.Title)+"*\n"+escaper.Replace(f.Value), fieldChars)))
			}
			out = append(out, b)
		}
		var links []string
		for _, l := range r.Links {
			links = append(links, link(l.Text, l.URL))
		}
		if r.Image != nil {
			links = append(links, link(firstOf(r.Image.Alt, r.Image.Artifact), r.Image.URL))
		}
		if len(links) > 0 {
			out = append(out, block{Type: "context", Elements: []any{*mrkdwn(strings.Join(links, "  ·  "))}})
		}
	}
	if len(m.Buttons) == 0 {
		return out[:min(len(out), maxBlocks)]
	}
	return append(out[:min(len(out), maxBlocks-1)], actions(m.Buttons))
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
