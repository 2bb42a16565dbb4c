package mattermost

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox/chatops"
)

type field struct {
	Short bool   `json:"short"`
	Title string `json:"title"`
	Value string `json:"value"`
}

type attachment struct {
	Color   string   `json:"color"`
	Text    string   `json:"text"`
	Fields  []field  `json:"fields,omitempty"`
	Actions []action `json:"actions,omitempty"`
}

type action struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	Style       string      `json:"style,omitempty"`
	Integration integration `json:"integration"`
}

type integration struct {
	URL     string            `json:"url"`
	Context map[string]string `json:"context"`
}

const (
	green = "#00c100"
	red   = "#e40303"
	grey  = "#8d96a0"
)

// limits are Mattermost's (facts: chatops 3). Servers up to 5.39 keep 8,000 characters of a post's attachments, as JSON; later ones a
// hundred times as many, of which clients fold all but the beginning.
var limits = chatops.Limits{
	Size: size, Code: inJSON, Alone: 12_000, Said: 600, Bytes: chatops.MaxReply, Output: 4000, Progress: 2500, Whole: 7500, Rich: 5000, Blocks: 20,
	Block: 3000, Fields: 20, Title: 150, Value: 1000, Links: 2500, Buttons: 13, Label: 75, Button: 300, EachBlock: 220, Colourless: true,
}

func size(text string) int { return inJSON(plain(text)) }

// inJSON is how many characters a text takes as the server keeps it.
func inJSON(text string) int {
	raw, err := json.Marshal(text)
	if err != nil {
		return len(text)
	}
	return utf8.RuneCount(raw) - len(`""`)
}

// plainly says whether a message is text without an attachment.
func plainly(m chatops.Message) bool {
	return m.Bare || m.Kind == chatops.Notice || m.Kind == chatops.Announced
}

// asked is the line that says who asked for what; "" if that is not told.
func asked(m chatops.Message) string {
	if m.Asked == "" {
		return ""
	}
	text := "**" + plain(m.AskedBy) + "**" + ": " + quoted(m.Asked)
	if m.Again != "" {
		text += ", then **" + plain(m.AgainBy) + "**: " + quoted(m.Again)
	}
	return text
}

// quoted is a command as it was typed.
func quoted(command string) string {
	return "`" + strings.ReplaceAll(command, "`", "'") + "`"
}

// message is the text of a message: of one with an attachment, who asked for what.
func message(m chatops.Message) string {
	if !plainly(m) {
		return asked(m)
	}
	parts := []string{asked(m)}
	switch {
	case m.Kind == chatops.Notice || m.Kind == chatops.Announced:
		parts = append(parts, chatops.Markdown(m.Text))
	default:
		parts = append(parts, fmt.Sprintf("[%s #%d](%s) %s", plain(m.JobName), m.JobID, m.JobURL, plain(m.Text)))
	}
	if m.Output != "" {
		parts = append(parts, fence(m.Output))
	}
	if m.Cut && m.JobURL != "" {
		parts = append(parts, whole(m))
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n")
}

// whole leads to what is left out.
func whole(m chatops.Message) string {
	if m.CutOutput {
		return fmt.Sprintf("[The whole output](%s)", m.JobURL)
	}
	return fmt.Sprintf("[All of it](%s)", m.JobURL)
}

// attachments is a job's reply in the form that GitLab gives it; none if a message is text alone.
func attachments(m chatops.Message) []attachment {
	if plainly(m) {
		if len(m.Buttons) == 0 {
			return nil
		}
		return []attachment{{Actions: actions(m.Buttons, m.ActionURL)}}
	}
	by := fmt.Sprintf("[%s](%s)", plain(m.StartedBy), m.StartedByAt)
	a := attachment{Color: green, Text: "ChatOps job started by " + by + " completed successfully"}
	switch m.Kind {
	case chatops.Failed:
		a.Color, a.Text = red, "ChatOps job started by "+by+" "+plain(m.Text)
	case chatops.Progress, chatops.Waits:
		a.Color, a.Text = grey, "ChatOps job started by "+by+" "+plain(m.Text)
	}
	a.Fields = []field{
		{Short: true, Title: "ID", Value: fmt.Sprintf("[#%d](%s)", m.JobID, m.JobURL)},
		{Short: true, Title: "Name", Value: plain(m.JobName)},
	}
	switch {
	case m.Output != "":
		a.Fields = append(a.Fields, field{Title: "Output", Value: fence(m.Output)})
	case m.Kind == chatops.Succeeded && m.Text != "":
		a.Fields = append(a.Fields, field{Title: "Output", Value: m.Text})
	}
	if m.Cut {
		a.Fields = append(a.Fields, field{Title: "The whole output", Value: fmt.Sprintf("[#%d](%s)", m.JobID, m.JobURL)})
	}
	a.Actions = actions(m.Buttons, m.ActionURL)
	all := []attachment{a}
	for _, r := range m.Rich {
		all = append(all, rich(r, a.Color))
	}
	return all
}

func actions(buttons []chatops.Button, address string) (out []action) {
	for _, b := range buttons {
		out = append(out, action{b.ID, b.Label, "button", string(b.Style), integration{address, map[string]string{"value": b.Value}}})
	}
	return out
}

// rich is a block that the job wrote as JSON.
func rich(r chatops.Rich, color string) attachment {
	a := attachment{Color: color, Text: plain(r.Text)}
	for _, f := range r.Fields {
		a.Fields = append(a.Fields, field{f.Short, plain(f.Title), plain(f.Value)})
	}
	var links []string
	for _, l := range r.Links {
		links = append(links, link(l.Text, l.URL))
	}
	if r.Image != nil {
		text := r.Image.Alt
		if text == "" {
			text = r.Image.Artifact
		}
		links = append(links, link(text, r.Image.URL))
	}
	if len(links) > 0 {
		a.Text = strings.TrimLeft(a.Text+"\n"+strings.Join(links, " · "), "\n")
	}
	return a
}

func link(text, address string) string {
	return "[" + plain(text) + "](" + strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(address) + ")"
}

// fence puts text into a code block that it cannot end.
func fence(s string) string {
	const longest = 8
	mark := "```"
	for strings.Contains(s, mark) && len(mark) < longest {
		mark += "`"
	}
	s = strings.ReplaceAll(s, mark, strings.Repeat("'", len(mark)))
	return mark + "shell\n" + s + "\n" + mark
}

var escaper = strings.NewReplacer("[", `\[`, "]", `\]`, "`", "'", "@", "@\u200b", "*", `\*`, "_", `\_`)

func plain(s string) string { return escaper.Replace(s) }
