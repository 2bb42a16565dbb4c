package discord

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"signalbox/chatops"
)

// body is a message in Discord's words. What is not named stays when a message is changed, so all is named.
type body struct {
	Content     string       `json:"content"`
	Flags       int          `json:"flags,omitempty"`
	Embeds      []embed      `json:"embeds"`
	Components  []row        `json:"components"`
	Allowed     mentions     `json:"allowed_mentions"`
	Attachments []attachment `json:"attachments,omitempty"`
	Reference   *reference   `json:"message_reference,omitempty"`
	Nonce       string       `json:"nonce,omitempty"`
	Unique      bool         `json:"enforce_nonce,omitempty"`
}

// mentions are those whom a message may call; what a job prints calls nobody.
type mentions struct {
	Parse []string `json:"parse"`
	Users []string `json:"users,omitempty"`
}

type embed struct {
	Description string  `json:"description,omitempty"`
	Color       int     `json:"color,omitempty"`
	Fields      []field `json:"fields,omitempty"`
}

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

// row is a row of buttons.
type row struct {
	Type       int      `json:"type"`
	Components []button `json:"components"`
}

type button struct {
	Type     int    `json:"type"`
	Style    int    `json:"style"`
	Label    string `json:"label"`
	CustomID string `json:"custom_id"`
}

type attachment struct {
	ID          int    `json:"id"`
	Filename    string `json:"filename"`
	Description string `json:"description"`
}

type reference struct {
	MessageID string `json:"message_id"`
	MustExist bool   `json:"fail_if_not_exists"`
}

// Flags of messages.
const (
	noPreviews = 1 << 2
	alone      = 1 << 6 // for whoever gave the command
)

// limits are Discord's, in UTF-16 units (facts: chatops 4): 2,000 of a text, 6,000 of ten embeds, of which the last may say that there is
// more.
var limits = chatops.Limits{
	Size: size, Code: func(text string) int { return units(fenced(text)) }, Alone: 3800, Head: contentUnits, Said: 600, Bytes: 1500, Output: 1500, Progress: 1500,
	Rich: 5000, Blocks: 9, Block: 2000, Fields: 20, Title: 200, Value: 1000, Links: 1800, Buttons: 25, Label: 75,
}

func size(text string) int { return units(plain(text)) }

const contentUnits = 2000

// fenced is a text that does not end the block of code in which it stands.
func fenced(text string) string { return strings.ReplaceAll(text, "``", "`\u200b`\u200b") }

const (
	green = 0x00c100
	red   = 0xe40303
	grey  = 0x8d96a0
)

// emoji are the names of ours that Discord shows as they are written.
var emoji = strings.NewReplacer(":wave:", "👋", ":sweat_smile:", "😅")

// plainBody is a text of ours: in the message itself, or below it if it is long.
func plainBody(text string) body {
	b := body{Embeds: []embed{}, Components: []row{}, Allowed: mentions{Parse: []string{}}, Flags: noPreviews}
	b.Content = chatops.Markdown(emoji.Replace(text))
	if units(b.Content) > contentUnits {
		b.Content, b.Flags, b.Embeds = "", 0, []embed{{Description: b.Content, Color: grey}}
	}
	return b
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

// render is a message as Discord shows it.
func render(m chatops.Message) body {
	b := plainBody("")
	if m.Output == "" && (m.Kind == chatops.Notice || m.Kind == chatops.Announced) {
		b = plainBody(strings.TrimLeft(asked(m)+"\n"+m.Text+whole(m), "\n"))
	} else {
		b.Content = content(m)
	}
	if m.ChatUserID != "" && m.Ends() {
		b.Allowed.Users = []string{m.ChatUserID}
	}
	b.Embeds = append(b.Embeds, embeds(m)...)
	if len(b.Embeds) > 0 {
		b.Flags = 0
	}
	b.Components = buttons(m.Buttons)
	return b
}

// asked is the line that says who asked for what; "" if that is not told.
func asked(m chatops.Message) string {
	switch {
	case m.Asked == "":
		return ""
	case m.Again == "":
		return who(m, m.AskedBy) + ": " + quoted(m.Asked)
	}
	return who(chatops.Message{}, m.AskedBy) + ": " + quoted(m.Asked) + ", then " + who(m, m.AgainBy) + ": " + quoted(m.Again)
}

// who is whoever the message is for.
func who(m chatops.Message, name string) string {
	if m.ChatUserID != "" && m.Ends() {
		return "<@" + m.ChatUserID + ">"
	}
	return "**" + plain(name) + "**"
}

// quoted is a command as it was typed.
func quoted(command string) string {
	return "`" + strings.ReplaceAll(command, "`", "'") + "`"
}

// whole leads to what is left out.
func whole(m chatops.Message) string {
	switch {
	case !m.Cut || m.JobURL == "":
		return ""
	case m.CutOutput:
		return "\n[The whole output](" + m.JobURL + ")"
	}
	return "\n[All of it](" + m.JobURL + ")"
}

// perRow is how many buttons Discord takes in a row; it takes five rows.
const perRow = 5

// buttons are rows of them.
func buttons(list []chatops.Button) []row {
	out := []row{}
	for part := range slices.Chunk(list, perRow) {
		one := row{Type: 1}
		for _, x := range part {
			style := map[chatops.ButtonStyle]int{chatops.Primary: 1, chatops.Plain: 2, chatops.Danger: 4}[x.Style]
			one.Components = append(one.Components, button{2, style, x.Label, x.Value})
		}
		out = append(out, one)
	}
	return out
}

// content is who asked for what, how the job is, and what it says.
func content(m chatops.Message) string {
	head := asked(m)
	switch {
	case head != "":
		head += "\n"
	case m.ChatUserID != "" && m.Ends():
		head = "<@" + m.ChatUserID + "> "
	}
	said := plain(m.Text)
	if said == "" && m.Asked != "" && m.Kind == chatops.Succeeded {
		said = "succeeded"
	}
	head += strings.TrimSpace(fmt.Sprintf("[%s #%d](%s) %s", plain(m.JobName), m.JobID, m.JobURL, said))
	if m.Output == "" {
		return head + whole(m)
	}
	language, output := "", m.Output
	if m.KeepANSI && strings.Contains(output, "\x1b") {
		language = "ansi"
	}
	return head + "\n```" + language + "\n" + fenced(output) + "\n```" + strings.TrimPrefix(whole(m), "\n")
}

// embeds are what the job wrote as JSON.
func embeds(m chatops.Message) (out []embed) {
	color := map[chatops.MessageKind]int{chatops.Failed: red, chatops.Succeeded: green}[m.Kind]
	for _, r := range m.Rich {
		e := embed{Color: color}
		var links []string
		for _, l := range r.Links {
			links = append(links, link(l.Text, l.URL))
		}
		if r.Image != nil {
			links = append(links, link(firstOf(r.Image.Alt, r.Image.Artifact), r.Image.URL))
		}
		e.Description = strings.Trim(plain(r.Text)+"\n"+strings.Join(links, " · "), "\n")
		for _, f := range r.Fields {
			e.Fields = append(e.Fields, field{firstOf(plain(f.Title), "\u200b"), firstOf(plain(f.Value), "–"), f.Short})
		}
		if e.Description != "" || len(e.Fields) > 0 {
			out = append(out, e)
		}
	}
	if m.Cut && len(m.Rich) > 0 {
		out = append(out, embed{Description: "More of it is on [the job's page](" + m.JobURL + ")."})
	}
	return out
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

var escaper = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "`", "'", "@", "@\u200b", "*", `\*`, "_", `\_`, "~", `\~`, "|", `\|`, "<", `\<`, "#", `\#`)

// plain is text without Discord's markup.
func plain(s string) string { return escaper.Replace(s) }

func link(text, address string) string {
	return "[" + plain(text) + "](" + strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(address) + ")"
}
