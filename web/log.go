package web

import (
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/ci/trace"
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
}

var sectionStart = regexp.MustCompile(`section_(start|end):(\d{1,12}):([A-Za-z0-9_.-]{1,255})(\[[^\]\r\n]{0,255}\])?\r?(?:\x1b\[0K)?`)

// logReader turns the bytes of a log into events, line by line. It keeps what reaches over lines: the number,
// the colours, the sections that are open.
type logReader struct {
	line  int // of the last line that was read
	timed bool
	style style
	open  map[string]int64

	// The last line that was shown, which a line of a timed log may continue.
	shown  int
	text   string
	before style
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

// read gives the events of one line without its newline.
func (r *logReader) read(raw []byte) []logEvent {
	r.line++
	number, at := r.line, ""
	if r.timed && len(raw) >= stampSize {
		if m := stamped.FindSubmatch(raw[:stampSize]); m != nil {
			at = string(m[1])
			goesOn := raw[stampSize-1] == '+' && r.shown > 0
			raw = raw[stampSize:]
			if goesOn && len(r.text) < maxLine {
				number, r.style = r.shown, r.before
				raw = append([]byte(r.text), raw...)
			}
		}
	}
	return r.events(strings.ToValidUTF8(string(raw), "\uFFFD"), number, at)
}

func (r *logReader) events(text string, number int, at string) []logEvent {
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
		if strings.TrimSpace(plainText(before)) != "" {
			out = append(out, logEvent{Type: "line", Line: number, At: at, HTML: r.html(before)})
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
		if strings.TrimSpace(plainText(title)) == "" {
			html = template.HTML(template.HTMLEscapeString(strings.ReplaceAll(name, "_", " ")))
		}
		out = append(out, logEvent{Type: "start", Name: name, Unix: unix, HTML: html, Collapsed: strings.Contains(options, "collapsed=true")})
	}
	if marked && strings.TrimSpace(plainText(text)) == "" {
		r.shown, r.text = 0, ""
		r.style = pieces(text, r.style, func(string, style) {})
		return out
	}
	r.shown, r.text, r.before = number, text, r.style
	return append(out, logEvent{Type: "line", Line: number, At: at, HTML: r.html(text)})
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
	Lines   int   // of the whole log
	Offset  int64 // behind its last whole line
	Timed   bool
	Earlier int // the line to ask for to see those before; 0 if there are none
	Later   int // the same for those behind
}

// window is how many lines a page shows at once.
const window = 4000

// readPart reads the lines around one, or the last ones if at is 0.
func readPart(log trace.Reader, index trace.Index, at int) (*logPart, error) {
	p := &logPart{Lines: index.Lines, First: 1, Last: index.Lines, Timed: isTimed(log)}
	if p.Lines > window {
		p.First = max(1, p.Lines-window+1)
		if at > 0 && at < p.First {
			p.First = max(1, at-window/4)
		}
		p.Last = min(p.Lines, p.First+window-1)
	}
	if p.First > 1 {
		p.Earlier = max(1, p.First-window+window/4)
	}
	if p.Last < p.Lines {
		p.Later = p.Last + 1 + window/4
	}
	line, offset := index.Before(p.First)
	if _, err := log.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return p, p.render(log, line-1, offset)
}

// render reads lines from a known one on and shows those of the part.
func (p *logPart) render(in io.Reader, line int, offset int64) error {
	r := newLogReader(line, p.Timed)
	w := &logWriter{}
	lines := newLineReader(in)
	p.Offset = offset
	for r.line < p.Last {
		raw, whole, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if whole {
			p.Offset = offset + lines.read
		}
		events := r.read(raw)
		if r.line >= p.First {
			w.add(events)
		}
	}
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

func (w *logWriter) add(events []logEvent) {
	for _, e := range events {
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
