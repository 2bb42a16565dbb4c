package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/ci/trace"
	"signalbox/internal/terminal"
)

// logEvent is one thing of a log as a page shows it: a line, the beginning or the end of a section. A line
// with the number of the one before takes its place.
type logEvent struct {
	Type      string        `json:"t"` // line, start or end
	Line      int           `json:"n,omitempty"`
	HTML      template.HTML `json:"html"`
	At        string        `json:"at,omitempty"` // the time of day that the runner noted
	Name      string        `json:"name,omitempty"`
	Collapsed bool          `json:"collapsed,omitempty"`
	Took      string        `json:"took,omitempty"`
	Unix      int64         `json:"u,omitempty"`

	ends int // the number of the last line that belongs to it
}

var sectionStart = regexp.MustCompile(`section_(start|end):(\d{1,12}):([A-Za-z0-9_.-]{1,255})(\[[^\]\r\n]{0,255}\])?\r\x1b\[0K`)

// logReader turns the bytes of a log into events, line by line. It keeps what reaches over lines: the number,
// the colours, the sections that are open.
type logReader struct {
	line  int // of the last line that was read
	timed bool
	style terminal.Style
	open  map[string]int64

	last lastLine
}

// lastLine is the line that was read last. It is rendered when it is known to be whole, or when somebody wants
// to see it as far as it is, because the lines of a timed log may go on with it.
type lastLine struct {
	number int // 0: there is none
	ends   int // the number of the line that went on with it last
	at     string
	text   []byte
	before terminal.Style
	fresh  bool // it has grown since it was rendered
}

// newLogReader goes on behind a line. Whether a log is timed, its first line tells.
func newLogReader(line int, timed bool) *logReader {
	return &logReader{line: line, timed: timed, open: map[string]int64{}}
}

// stampSize is the length of what newer runners put before each line: time, stream, and whether the line goes
// on with the one before (facts: pipeline-semantics 8.5).
const stampSize = 32

var stamped = regexp.MustCompile(`^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\.\d{6}Z [0-9a-fA-F]{2}[OE][ +]`)

// isTimed looks at the first line of a log.
func isTimed(log io.ReaderAt) bool {
	head := make([]byte, stampSize)
	n, _ := log.ReadAt(head, 0) // a log that cannot be read is found out by whoever reads on
	return stamped.Match(head[:n])
}

// read takes one line without its newline and gives the events that are certain by it.
func (r *logReader) read(raw []byte) []logEvent {
	r.line++
	at := ""
	if r.timed && len(raw) >= stampSize {
		if m := stamped.FindSubmatch(raw[:stampSize]); m != nil {
			at = string(m[1])
			goesOn := raw[stampSize-1] == '+' && r.last.number > 0
			raw = raw[stampSize:]
			if goesOn && !bytes.Contains(raw, []byte("section_")) {
				r.last.at, r.last.ends, r.last.fresh = at, r.line, true
				if room := maxLine - len(r.last.text); room > 0 {
					r.last.text = append(r.last.text, raw[:min(len(raw), room)]...)
				}
				return nil
			}
		}
	}
	out := r.flush()
	r.last = lastLine{}
	return append(out, r.events(strings.ToValidUTF8(string(raw), "\uFFFD"), at)...)
}

// flush shows the last line as far as it is.
func (r *logReader) flush() []logEvent {
	if !r.last.fresh {
		return nil
	}
	r.last.fresh = false
	r.style = r.last.before
	html := r.html(strings.ToValidUTF8(string(r.last.text), "\uFFFD"))
	return []logEvent{{Type: "line", Line: r.last.number, At: r.last.at, HTML: html, ends: r.last.ends}}
}

func (r *logReader) events(text, at string) []logEvent {
	var out []logEvent
	marked := false
	for {
		m := sectionStart.FindStringSubmatchIndex(text)
		if m == nil {
			break
		}
		marked = true
		before, kind, name, options := text[:m[0]], text[m[2]:m[3]], text[m[6]:m[7]], ""
		unix, _ := strconv.ParseInt(text[m[4]:m[5]], 10, 64)
		if m[8] >= 0 {
			options = text[m[8]:m[9]]
		}
		if strings.TrimSpace(terminal.Strip(before)) != "" {
			out = append(out, logEvent{Type: "line", Line: r.line, At: at, HTML: r.html(before), ends: r.line})
		}
		text = text[m[1]:]
		if kind == "end" {
			e := logEvent{Type: "end", Name: name, Unix: unix}
			if began, known := r.open[name]; known {
				delete(r.open, name)
				e.Took = took(unix - began)
			}
			out = append(out, e) // whoever shows it may know of a beginning that was read before
			continue
		}
		title := text
		if next := sectionStart.FindStringIndex(text); next != nil {
			title = text[:next[0]]
		}
		text = text[len(title):]
		if _, already := r.open[name]; already {
			continue
		}
		r.open[name] = unix
		html := r.html(title)
		if strings.TrimSpace(terminal.Strip(title)) == "" {
			html = template.HTML(template.HTMLEscapeString(strings.ReplaceAll(name, "_", " ")))
		}
		out = append(out, logEvent{Type: "start", Name: name, Unix: unix, HTML: html, Collapsed: strings.Contains(options, "collapsed=true")})
	}
	if marked && strings.TrimSpace(terminal.Strip(text)) == "" {
		_, r.style = terminal.Line(text, r.style)
		return out
	}
	r.last = lastLine{number: r.line, ends: r.line, at: at, text: []byte(text), before: r.style, fresh: true}
	return out
}

// html shows a line: what a program wrote over and over in its last state, colours as spans, the rest escaped.
func (r *logReader) html(line string) template.HTML {
	var b strings.Builder
	r.style = writeLine(&b, line, r.style)
	return template.HTML(b.String()) // all text in it went through HTMLEscapeString
}

func took(seconds int64) string {
	d := time.Duration(max(0, seconds)) * time.Second
	if d >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// logPart is the part of a log that a page shows.
type logPart struct {
	HTML    template.HTML
	First   int   // the number of its first line
	Last    int   // of its last
	Whole   int   // of its last line that has its newline
	Lines   int   // of the whole log
	Offset  int64 // behind its last whole line
	Timed   bool
	Earlier int // the line to ask for to see those before; 0 if there are none
	Later   int // the same for those behind
}

const (
	window      = 4000    // lines that a page shows at once
	windowBytes = 2 << 20 // and bytes, because lines may be long
	lead        = 100     // lines before a part that are read for their colours
)

// readPart reads the lines around one, or the last ones if at is 0.
func readPart(ctx context.Context, log trace.Reader, index trace.Index, at int) (*logPart, error) {
	p := &logPart{Lines: index.Lines, First: 1, Last: index.Lines, Timed: isTimed(log)}
	tail := p.Lines <= window || at <= 0 || at >= p.Lines-window+1
	if p.Lines > window {
		p.First = max(1, p.Lines-window+1)
		if !tail {
			p.First = max(1, at-window/4)
		}
		p.Last = min(p.Lines, p.First+window-1)
	}
	line, offset := index.Before(max(1, p.First-lead))
	if _, err := log.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	from := int64(0) // where the part may begin at the earliest
	if tail && at <= 0 {
		from = log.Size() - windowBytes
	}
	if err := p.render(ctx, log, line-1, offset, from); err != nil {
		return nil, err
	}
	if p.First > 1 {
		p.Earlier = max(1, p.First-window+window/4)
	}
	if p.Last < p.Lines {
		p.Later = p.Last + 1 + window/4
	}
	return p, nil
}

// render reads lines from a known one on and shows those of the part.
func (p *logPart) render(ctx context.Context, in io.Reader, line int, offset, from int64) error {
	r := newLogReader(line, p.Timed)
	w := &logWriter{}
	lines := newLineReader(in)
	p.Offset, p.Whole = offset, line
	shown := 0
	for r.line < p.Last {
		if r.line%lead == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		start := offset + lines.read
		raw, whole, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if start < from && r.line+1 >= p.First {
			p.First = r.line + 2
		}
		if r.line+1 < p.First-lead {
			r.line++ // too far before the part to matter
		} else {
			w.add(r.read(raw), p.First)
		}
		if whole {
			p.Offset, p.Whole = offset+lines.read, r.line
		}
		if r.line >= p.First {
			if shown += len(raw); shown > windowBytes {
				p.Last = r.line
			}
		}
	}
	w.add(r.flush(), p.First)
	p.HTML = template.HTML(w.end()) // made of escaped parts
	return nil
}

// logWriter writes events as a page has them. What is known only at a section's end, its time and that it was
// cut off, is written over marks of a fixed width at its beginning.
type logWriter struct {
	b    []byte
	last *logEvent // a line that the next one may take the place of
	open []openSection
}

type openSection struct {
	name              string
	state, mark, took int // where the marks lie
}

const (
	markOpen    = ` open`
	markRunning = ` data-running`
	tookWidth   = 9
)

// add writes events, but for lines that end before the first one of the part.
func (w *logWriter) add(events []logEvent, first int) {
	for _, e := range events {
		if e.Type == "line" && e.ends < first {
			continue
		}
		if e.Type == "line" && w.last != nil && w.last.Line == e.Line {
			w.last = &e
			continue
		}
		w.flush()
		switch e.Type {
		case "line":
			w.last = &e
		case "start":
			w.start(e)
		case "end":
			w.finish(e)
		}
	}
}

func (w *logWriter) flush() {
	if e := w.last; e != nil {
		at := ""
		if e.At != "" {
			at = ` data-at="` + e.At + `"`
		}
		w.b = fmt.Appendf(w.b, `<div class="l" id="L%d"%s><a href="?at=%d#L%d">%d</a><span>%s</span></div>`, e.Line, at, e.Line, e.Line, e.Line, e.HTML)
		w.last = nil
	}
}

func (w *logWriter) start(e logEvent) {
	s := openSection{name: e.Name}
	w.b = append(w.b, `<details`...)
	s.state = len(w.b)
	if e.Collapsed {
		w.b = append(w.b, strings.Repeat(" ", len(markOpen))...)
	} else {
		w.b = append(w.b, markOpen...)
	}
	s.mark = len(w.b)
	w.b = fmt.Appendf(w.b, `%s data-name="%s" data-began="%d"><summary><span>%s</span><span class="took">`, markRunning, e.Name, e.Unix, e.HTML)
	s.took = len(w.b)
	w.b = append(w.b, strings.Repeat(" ", tookWidth)+`</span></summary>`...)
	w.open = append(w.open, s)
}

func (w *logWriter) finish(e logEvent) {
	at := len(w.open) - 1
	for at >= 0 && w.open[at].name != e.Name {
		at--
	}
	if at < 0 {
		return // it began before this part
	}
	for _, s := range w.open[at+1:] {
		copy(w.b[s.state:], markOpen) // cut off: what went wrong stands in it
		copy(w.b[s.mark:], strings.Repeat(" ", len(markRunning)))
	}
	s := w.open[at]
	copy(w.b[s.mark:], strings.Repeat(" ", len(markRunning)))
	copy(w.b[s.took:s.took+tookWidth], e.Took)
	w.b = append(w.b, strings.Repeat("</details>", len(w.open)-at)...)
	w.open = w.open[:at]
}

func (w *logWriter) end() string {
	w.flush()
	for _, s := range w.open {
		copy(w.b[s.state:], markOpen)
		w.b = append(w.b, "</details>"...)
	}
	return string(w.b)
}
