package discord

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"signalbox/chatops"
	"signalbox/internal/terminal"
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

// Discord's bounds, in UTF-16 units; bytes are never fewer.
const (
	contentUnits = 2000
	outputBytes  = 1500
	textBytes    = 300 // what is said of a job; escaped it may be twice as long
	embedBytes   = 4000
	allEmbeds    = 5500
	maxEmbeds    = 10
	nameBytes    = 250
	valueBytes   = 1000
)

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
		long, _ := chatops.Shorten(b.Content, embedBytes)
		b.Content, b.Flags, b.Embeds = "", 0, []embed{{Description: long, Color: grey}}
	}
	return b
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

// render is a message as Discord shows it.
func render(m chatops.Message) body {
	b := plainBody("")
	if m.Output == "" && (m.Kind == chatops.Notice || m.Kind == chatops.Announced) {
		b = plainBody(m.Text)
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

// content is who asked, how the job is, and what it says.
func content(m chatops.Message) string {
	head := ""
	if m.ChatUserID != "" && m.Ends() {
		head = "<@" + m.ChatUserID + "> "
	}
	limit := textBytes
	if m.Output == "" {
		limit *= 2
	}
	text, _ := chatops.Shorten(m.Text, limit)
	head += strings.TrimSpace(fmt.Sprintf("[%s #%d](%s) %s", plain(m.JobName), m.JobID, m.JobURL, plain(text)))
	language, output := "", m.Output
	if m.KeepANSI && strings.Contains(output, "\x1b") {
		language = "ansi"
	} else {
		output = terminal.Strip(output)
	}
	if output == "" {
		return head
	}
	for limit = outputBytes; ; limit = limit * 7 / 8 {
		part, cut := shown(output, limit)
		all := head + "\n```" + language + "\n" + part + "\n```"
		if cut {
			all += "[The whole output](" + m.JobURL + ")"
		}
		if units(all) <= contentUnits || limit < 64 {
			return all
		}
	}
}

// shown is an output within a block of code that it cannot end, and whether it had to be shortened.
func shown(output string, limit int) (text string, cut bool) {
	for most := limit; ; most = most * 7 / 8 {
		part, cut := chatops.Shorten(output, most)
		if text = strings.ReplaceAll(part, "``", "`\u200b`\u200b"); units(text) <= limit {
			return text, cut
		}
	}
}

// embeds are what the job wrote as JSON.
func embeds(m chatops.Message) []embed {
	color := map[chatops.MessageKind]int{chatops.Failed: red, chatops.Succeeded: green}[m.Kind]
	var out []embed
	total := 0
	for _, r := range m.Rich {
		e := embed{Color: color}
		var links []string
		for _, l := range r.Links {
			links = append(links, link(l.Text, l.URL))
		}
		if r.Image != nil {
			links = append(links, link(firstOf(r.Image.Alt, r.Image.Artifact), r.Image.URL))
		}
		text, _ := chatops.Shorten(plain(r.Text), embedBytes/2)
		e.Description = strings.Trim(text+"\n"+strings.Join(links, " · "), "\n")
		size := units(e.Description)
		for _, f := range r.Fields {
			name, _ := chatops.Shorten(firstOf(plain(f.Title), "\u200b"), nameBytes)
			value, _ := chatops.Shorten(firstOf(plain(f.Value), "–"), valueBytes)
			e.Fields = append(e.Fields, field{name, value, f.Short})
			size += units(name) + units(value)
		}
		if size == 0 {
			continue
		}
		if total += size; total > allEmbeds || len(out) == maxEmbeds-1 || units(e.Description) > embedBytes {
			return append(out, embed{Description: "More of it is on " + link("the job's page", m.JobURL) + "."})
		}
		out = append(out, e)
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
