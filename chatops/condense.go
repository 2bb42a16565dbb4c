package chatops

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what is kept of a log that is too large to be read whole.
const (
	keptOfText  = 1 << 20   // at the beginning of a stretch of text, and at its end
	keptInAll   = 6 << 20   // of all stretches
	gapEdge     = 64 << 10  // that is dropped beside a gap once values are hidden: one that the gap cuts in two is not known there
	longestMark = 1 << 10   // bytes of a section's marker
	mostMarks   = 1000      // that count
	chunk       = 256 << 10 // read at a time
)

// condense reads a log of any size and keeps what a reply can be made of: the markers of the sections that replies come from,
// and of each text between them the beginning and the end. cut says that something is missing. Cost: linear in the log, in
// memory that does not grow with it.
func condense(r io.Reader) (log []byte, cut bool, err error) {
	c := &condenser{left: keptInAll}
	buf := make([]byte, 0, chunk+longestMark)
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return nil, false, err
		}
		rest := c.take(buf, last)
		if last {
			c.end()
			return c.out, c.cut, nil
		}
		buf = append(buf[:0], rest...)
	}
}

// condenser keeps the text since the last marker in two parts.
type condenser struct {
	out        []byte
	head, tail []byte
	limit      int // of each part
	dropped    int64
	left       int // of what may be kept in all
	marks      int
	open       bool // a section for the asker alone was kept up to here
	hidden     bool // one that is not kept goes on
	cut        bool
}

var (
	markBegins = []byte("section_")
	markHere   = regexp.MustCompile("^(?:" + marker.String() + ")")
	replied    = []Section{ChatReply, chatPrivate, chatJSON, StepScript, BuildScript}
)

// take reads what is there and gives back what can be judged only with what comes next.
func (c *condenser) take(buf []byte, last bool) []byte {
	for {
		at := bytes.Index(buf, markBegins)
		if at < 0 {
			keep := 0
			if !last {
				keep = min(len(buf), len(markBegins)-1)
			}
			c.text(buf[:len(buf)-keep])
			return buf[len(buf)-keep:]
		}
		c.text(buf[:at])
		buf = buf[at:]
		if len(buf) < longestMark && !last {
			return buf
		}
		m := markHere.FindSubmatchIndex(buf[:min(len(buf), longestMark)])
		if m == nil || !slices.Contains(replied, Section(buf[m[6]:m[7]])) || c.marks >= mostMarks && Section(buf[m[6]:m[7]]) != chatPrivate {
			c.text(buf[:len(markBegins)])
			buf = buf[len(markBegins):]
			continue
		}
		private, starts := Section(buf[m[6]:m[7]]) == chatPrivate, string(buf[m[2]:m[3]]) == "start"
		if c.marks >= mostMarks && (starts || !c.open) { // what is for the asker alone is left out rather than shown
			c.hidden = starts && !c.open
			buf = buf[m[1]:]
			continue
		}
		c.end()
		c.marks++
		if private {
			c.open = starts
		}
		c.out = append(c.out, buf[:m[1]]...)
		buf = buf[m[1]:]
	}
}

func (c *condenser) text(p []byte) {
	if c.hidden {
		c.dropped += int64(len(p))
		return
	}
	if c.limit == 0 {
		c.limit = min(keptOfText, c.left/4)
	}
	if room := min(len(p), c.limit-len(c.head)); room > 0 {
		c.head, p = append(c.head, p[:room]...), p[room:]
	}
	c.tail = append(c.tail, p...)
	if len(c.tail) > 2*c.limit+chunk {
		c.shorten()
	}
}

// shorten keeps of the second part its end.
func (c *condenser) shorten() {
	if over := len(c.tail) - c.limit; over > 0 {
		c.dropped += int64(over)
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
}

// end writes the text before a marker.
func (c *condenser) end() {
	c.shorten()
	c.left -= len(c.head) + len(c.tail)
	c.out = append(c.out, c.head...)
	if c.dropped > 0 {
		c.out, c.cut = fmt.Appendf(c.out, "\n"+gapText+"\n", c.dropped), true
	}
	c.out = append(c.out, c.tail...)
	c.head, c.tail, c.dropped, c.limit = c.head[:0], c.tail[:0], 0, 0
}

const gapText = "… %d bytes are left out here; the whole is in the job's log …"

var gap = regexp.MustCompile(strings.Replace(gapText, "%d", `\d+`, 1))

// bounded is a text of a log that was condensed, after its values were hidden, without what stands beside its gaps.
func bounded(text string) string {
	at := gap.FindAllStringIndex(text, -1)
	if at == nil {
		return text
	}
	var out strings.Builder
	from := 0
	for i := range len(at) + 1 {
		to := len(text)
		if i < len(at) {
			to = max(from, at[i][0]-gapEdge)
		}
		out.WriteString(whole(text[from:to], i > 0, i < len(at)))
		if i < len(at) {
			out.WriteString("\n" + text[at[i][0]:at[i][1]] + "\n")
			from = at[i][1] + gapEdge
			if i+1 < len(at) {
				from = min(from, at[i+1][0])
			}
			from = min(from, len(text))
		}
	}
	return out.String()
}

// whole drops the lines of a text that a gap has cut, or else the letters.
func whole(text string, first, last bool) string {
	if _, rest, ok := strings.Cut(text, "\n"); first && ok {
		text = rest
	}
	if end := strings.LastIndexByte(text, '\n'); last && end >= 0 {
		text = text[:end]
	}
	return strings.ToValidUTF8(text, "")
}
