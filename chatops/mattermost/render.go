package mattermost

import (
	"fmt"
	"strings"

	"signalbox/chatops"
	"signalbox/internal/terminal"
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

// plainly says whether a message is text without an attachment.
func plainly(m chatops.Message) bool { return m.Kind == chatops.Notice || m.Kind == chatops.Announced }

// message is the text of such a message.
func message(m chatops.Message) string {
	if m.Output == "" {
		return chatops.Markdown(m.Text)
	}
	output, cut := chatops.Shorten(terminal.Strip(m.Output), chatops.MaxReply)
	text := fence(output)
	if cut {
		text += fmt.Sprintf("\n[The whole output](%s)", m.JobURL)
	}
	return strings.TrimLeft(m.Text+"\n"+text, "\n")
}

// attachments is a job's reply in the form that GitLab gives it.
func attachments(m chatops.Message) []attachment {
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
	output, cut := chatops.Shorten(terminal.Strip(m.Output), chatops.MaxReply)
	switch {
	case output != "":
		a.Fields = append(a.Fields, field{Title: "Output", Value: fence(output)})
	case m.Kind == chatops.Succeeded && m.Text != "":
		a.Fields = append(a.Fields, field{Title: "Output", Value: m.Text})
	}
	if cut {
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
	mark := "```"
	for strings.Contains(s, mark) {
		mark += "`"
	}
	return mark + "shell\n" + s + "\n" + mark
}

var escaper = strings.NewReplacer("[", `\[`, "]", `\]`, "`", "'", "@", "@\u200b", "*", `\*`, "_", `\_`)

func plain(s string) string { return escaper.Replace(s) }
