package chatops

import (
	"strings"
	"unicode/utf8"

	"signalbox/internal/terminal"
)

// Limits are what a chat takes in one message. Sizes are in the chat's own units, of texts as the chat writes them; 0 is no
// bound.
type Limits struct {
	Size       func(text string) int // of a text as the chat writes it; nil: its characters
	Code       func(text string) int // of a text in a block of code; nil: as any text
	Head       int                   // of what is said of a job, with who asked for it, its address and its output
	Alone      int                   // of a message that is a text alone
	Said       int                   // of what is said of a job
	Bytes      int                   // of a job's output, as the job printed it
	Output     int                   // of a job's output
	Progress   int                   // of the output of a job that runs
	Whole      int                   // of all texts and buttons of a message together
	Rich       int                   // of all that a job wrote as JSON
	Blocks     int                   // how many blocks of that there may be
	Block      int                   // of one text of a block
	Fields     int                   // how many a block may have
	Title      int                   // of a field, and of names
	Value      int                   // of a field
	Links      int                   // of all links of a block
	Buttons    int                   // how many a message may have
	Label      int                   // of a button
	EachBlock  int                   // what a block takes of the whole, beside its texts
	Colourless bool                  // codes of colours are not shown
	Button     int                   // what a button takes of the whole, beside its label and what comes back
}

// frame is what a message takes of the whole beside its texts and addresses.
const frame = 500

// sizeOf measures a text.
func (l Limits) sizeOf(text string) int {
	if l.Size == nil {
		return utf8.RuneCountInString(text)
	}
	return l.Size(text)
}

func bound(limit, most int) int {
	if limit == 0 || most < limit {
		return max(0, most)
	}
	return limit
}

const unbounded = 1 << 30

// Fit is a message as much of it as a chat takes. What is left out is at the address of the message, to which a link leads
// then. It is asked for every message, on whichever way it goes: what a chat shows of it is within its limits.
func (l Limits) Fit(m Message) Message {
	left := unbounded
	if l.Whole != 0 {
		left = l.Whole - frame - l.EachBlock - 3*l.sizeOf(m.JobURL) - l.sizeOf(m.StartedByAt)
	}
	m.JobName, _ = l.clip(m.JobName, l.Title)
	m.StartedBy, _ = l.clip(m.StartedBy, l.Title)
	m.AskedBy, _ = l.clip(m.AskedBy, l.Title)
	m.Asked, _ = l.clip(strings.Join(strings.Fields(m.Asked), " "), mostAsked)
	m.AgainBy, _ = l.clip(m.AgainBy, l.Title)
	m.Again, _ = l.clip(strings.Join(strings.Fields(m.Again), " "), l.Title)
	left -= l.sizeOf(m.AgainBy) + l.sizeOf(m.Again)
	left -= l.sizeOf(m.JobName) + l.sizeOf(m.StartedBy) + l.sizeOf(m.AskedBy) + l.sizeOf(m.Asked)
	var spent int
	m.Buttons, spent = l.buttons(m.Buttons)
	left -= spent
	limit := l.Said
	if m.alone() && l.Alone != 0 {
		none := m
		none.Text = ""
		limit = max(shortest, l.Alone-l.headSize(none))
	}
	var cut bool
	if m.Text, cut = l.shorten(m.Text, bound(limit, left)); cut {
		m.Cut = true
	}
	left -= l.sizeOf(m.Text)
	head := unbounded
	if l.Head != 0 {
		head = max(shortest, l.Head-l.headSize(m))
	}
	if !m.KeepANSI || l.Colourless {
		m.Output = terminal.Strip(m.Output)
	}
	if limit = l.Output; m.Kind == Progress {
		limit = l.Progress
	}
	if len(m.Rich) > 0 { // both are shown in part
		limit = bound(limit, max(left/2, left-l.richSize(m.Rich)))
	}
	code := l.code()
	if m.Output, cut = code.output(m.Output, min(bound(limit, left), head)); cut {
		m.Cut, m.CutOutput = true, true
	}
	left -= code.sizeOf(m.Output)
	if m.Rich, cut = l.rich(m.Rich, bound(l.Rich, left)); cut {
		m.Cut = true
	}
	return m
}

// code are the limits for what stands in a block of code.
func (l Limits) code() Limits {
	if l.Code != nil {
		l.Size = l.Code
	}
	return l
}

// headSize is what a message takes beside the output: the address of the job may lead there twice.
func (l Limits) headSize(m Message) int {
	const words = 120 // and marks
	return words + l.sizeOf(m.JobName) + l.sizeOf(m.StartedBy) + l.sizeOf(m.AskedBy) + l.sizeOf(m.Asked) + l.sizeOf(m.AgainBy) + l.sizeOf(m.Again) + l.sizeOf(m.Text) + 2*l.sizeOf(m.JobURL) + l.sizeOf(m.StartedByAt)
}

// Short is a text of at most so much, with its head and its tail.
func (l Limits) Short(text string, limit int) string {
	text, _ = l.shorten(text, max(shortest, limit))
	return text
}

// mostAsked is how much of a command the message about it shows.
const mostAsked = 300

// alone says whether a message is nothing but a text.
func (m Message) alone() bool {
	return (m.Kind == Notice || m.Kind == Announced) && m.Output == "" && len(m.Rich) == 0
}

// buttons are those that a message may have, and what they take of the whole.
func (l Limits) buttons(all []Button) (out []Button, spent int) {
	for _, b := range all {
		if l.Buttons != 0 && len(out) == l.Buttons {
			break
		}
		b.Label, _ = l.clip(b.Label, l.Label)
		out = append(out, b)
		spent += l.Button + l.sizeOf(b.Label) + len(b.Value)
	}
	return out, spent
}

// output is a job's output, its head and its tail if it is too long.
func (l Limits) output(text string, limit int) (string, bool) {
	most := len(text)
	if l.Bytes != 0 {
		most = l.Bytes
	}
	for most = max(most, shortest); ; most = max(shortest, min(most, len(text))*7/8) {
		out, cut := Shorten(text, most)
		if l.sizeOf(out) <= limit {
			return out, cut
		}
		if most == shortest {
			return "", true
		}
	}
}

// shorten keeps head and tail of a text; a block of code in it stays one.
func (l Limits) shorten(text string, limit int) (string, bool) {
	if l.sizeOf(text) <= limit {
		return text, false
	}
	parts := strings.Split(text, codeFence)
	for size := l.sizeOf(text); size > limit; size = l.sizeOf(strings.Join(parts, codeFence)) {
		longest := 0
		for i := range parts {
			if len(parts[i]) > len(parts[longest]) {
				longest = i
			}
		}
		if len(parts[longest]) <= shortest {
			out, _ := l.clip(text[:min(len(text), 4*max(limit, 1))], limit) // nothing but marks
			return out, true
		}
		most := len(parts[longest]) * 7 / 8
		if size > 2*limit {
			most = len(parts[longest]) / 2
		}
		parts[longest], _ = Shorten(parts[longest], max(shortest, most))
	}
	return strings.Join(parts, codeFence), true
}

const (
	codeFence = "```"
	shortest  = 16 // bytes; what is shorter is not shortened
)

// clip is the beginning of a text, which shows that it was longer.
func (l Limits) clip(text string, limit int) (string, bool) {
	if limit == 0 || l.sizeOf(text) <= limit {
		return text, false
	}
	const more = "…"
	runes := []rune(text)
	low, high := 0, min(len(runes), limit)
	for low < high {
		middle := (low + high + 1) / 2
		if l.sizeOf(string(runes[:middle])+more) <= limit {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return string(runes[:low]) + more, true
}

func (l Limits) richSize(blocks []Rich) (n int) {
	for _, b := range blocks {
		n += l.blockSize(b)
	}
	return n
}

// perLink is what a link takes beside its text and address, and perField a field beside its own.
const (
	perLink  = 12
	perField = 40
	perBlock = 40
)

func (l Limits) blockSize(b Rich) int {
	n := perBlock + l.EachBlock + l.sizeOf(b.Text)
	for _, f := range b.Fields {
		n += perField + l.sizeOf(f.Title) + l.sizeOf(f.Value)
	}
	for _, x := range b.Links {
		n += perLink + l.sizeOf(x.Text) + l.sizeOf(x.URL)
	}
	if b.Image != nil {
		n += perLink + l.sizeOf(b.Image.Alt) + l.sizeOf(b.Image.Artifact) + l.sizeOf(b.Image.URL)
	}
	return n
}

// rich are as many blocks as there is room for; the last one may be shown in part.
func (l Limits) rich(all []Rich, limit int) (out []Rich, cut bool) {
	for i, b := range all {
		if limit < perBlock+l.EachBlock || l.Blocks != 0 && i == l.Blocks {
			return out, true
		}
		b, less := l.block(b, limit-perBlock-l.EachBlock)
		cut = cut || less
		if b.empty() {
			continue
		}
		limit -= l.blockSize(b)
		out = append(out, b)
	}
	return out, cut
}

func (b Rich) empty() bool {
	return b.Text == "" && len(b.Fields) == 0 && len(b.Links) == 0 && b.Image == nil
}

// block is one block, within what is left of all.
func (l Limits) block(b Rich, left int) (Rich, bool) {
	var cut, less bool
	if b.Text, cut = l.shorten(b.Text, bound(l.Block, left)); b.Text != "" {
		left -= l.sizeOf(b.Text)
	}
	fields := b.Fields
	b.Fields = nil
	for i, f := range fields {
		if l.Fields != 0 && i == l.Fields || left < 2*perField {
			cut = true
			break
		}
		f.Title, less = l.clip(f.Title, bound(l.Title, (left-perField)/2))
		cut = cut || less
		f.Value, less = l.shorten(f.Value, bound(l.Value, left-perField-l.sizeOf(f.Title)))
		cut = cut || less
		left -= perField + l.sizeOf(f.Title) + l.sizeOf(f.Value)
		b.Fields = append(b.Fields, f)
	}
	links, image := b.Links, b.Image
	b.Links, b.Image = nil, nil
	left = bound(l.Links, left)
	for _, x := range links {
		x.Text, less = l.clip(x.Text, l.Title)
		cut = cut || less
		if n := perLink + l.sizeOf(x.Text) + l.sizeOf(x.URL); n <= left { // half an address leads nowhere
			left -= n
			b.Links = append(b.Links, x)
		} else {
			cut = true
		}
	}
	if image == nil {
		return b, cut
	}
	shown := *image
	shown.Alt, less = l.clip(shown.Alt, l.Title)
	cut = cut || less
	shown.Artifact, less = l.clip(shown.Artifact, l.Title)
	cut = cut || less
	if perLink+l.sizeOf(shown.Alt)+l.sizeOf(shown.Artifact)+l.sizeOf(shown.URL) > left {
		return b, true
	}
	b.Image = &shown
	return b, cut
}
