package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/ci/trace"
)

// logEvent is one thing of a log as a page shows it: a line, the beginning or the end of a section.
type logEvent struct {
	Type      string        `json:"t"` // line, start or end
	Line      int           `json:"n,omitempty"`
	HTML      template.HTML `json:"html,omitempty"`
	Name      string        `json:"name,omitempty"`
	Collapsed bool          `json:"collapsed,omitempty"`
	Took      string        `json:"took,omitempty"`
}

var sectionStart = regexp.MustCompile(`section_(start|end):(\d{1,12}):([A-Za-z0-9_.-]{1,255})(\[[^\]\r\n]{0,255}\])?\r?(?:\x1b\[0K)?`)

// logReader turns the bytes of a log into events, line by line. It keeps what reaches over lines: the number,
// the colours, the sections that are open.
type logReader struct {
	line  int // of the last line that was read
	style style
	open  map[string]int64
}

func newLogReader(line int) *logReader { return &logReader{line: line, open: map[string]int64{}} }

// read gives the events of one line without its newline.
func (r *logReader) read(raw []byte) []logEvent {
	r.line++
	text := strings.ToValidUTF8(string(raw), "\uFFFD")
	var out []logEvent
	for {
		m := sectionStart.FindStringSubmatchIndex(text)
		if m == nil {
			break
		}
		before, kind, name, options := text[:m[0]], text[m[2]:m[3]], text[m[6]:m[7]], ""
		at, _ := strconv.ParseInt(text[m[4]:m[5]], 10, 64)
		if m[8] >= 0 {
			options = text[m[8]:m[9]]
		}
		if strings.TrimSpace(strings.Trim(before, "\r")) != "" {
			out = append(out, logEvent{Type: "line", Line: r.line, HTML: r.html(before)})
		}
		text = text[m[1]:]
		if kind == "end" {
			began, known := r.open[name]
			delete(r.open, name)
			if known {
				out = append(out, logEvent{Type: "end", Name: name, Took: took(at - began)})
			}
			continue
		}
		title := text
		if next := sectionStart.FindStringIndex(text); next != nil {
			title = text[:next[0]]
		}
		text = text[len(title):]
		r.open[name] = at
		html := r.html(title)
		if html == "" {
			html = template.HTML(template.HTMLEscapeString(name))
		}
		out = append(out, logEvent{Type: "start", Name: name, HTML: html, Collapsed: strings.Contains(options, "collapsed=true")})
		if text == "" {
			return out
		}
	}
	if text != "" || len(out) == 0 {
		out = append(out, logEvent{Type: "line", Line: r.line, HTML: r.html(text)})
	}
	return out
}

// html shows a line: what a program wrote over and over in its last state, colours as spans, the rest escaped.
func (r *logReader) html(line string) template.HTML {
	line = strings.TrimRight(line, "\r")
	if at := strings.LastIndexByte(line, '\r'); at >= 0 {
		line = line[at+1:]
	}
	var b strings.Builder
	r.style = writeLine(&b, line, r.style)
	return template.HTML(b.String()) // all text in it went through HTMLEscapeString
}

func took(seconds int64) string {
	d := time.Duration(max(0, seconds)) * time.Second
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// logPart is the part of a log that a page shows.
type logPart struct {
	HTML   template.HTML
	First  int   // the number of its first line
	Last   int   // of its last
	Lines  int   // of the whole log
	Offset int64 // behind its last whole line
}

// window is how many lines a page shows at once.
const window = 4000

// maxLine cuts lines that no page could show.
const maxLine = 64 << 10

// readPart reads the lines around one, or the last ones if at is 0.
func readPart(log trace.Reader, index trace.Index, at int) (*logPart, error) {
	p := &logPart{Lines: index.Lines, First: 1, Last: index.Lines}
	if p.Lines > window {
		p.First = max(1, p.Lines-window+1)
		if at > 0 && at < p.First {
			p.First = max(1, at-window/4)
		}
		p.Last = min(p.Lines, p.First+window-1)
	}
	line, offset := index.Before(p.First)
	if _, err := log.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return p, p.render(log, line-1, offset)
}

// render reads lines from a known one on and shows those of the part.
func (p *logPart) render(in io.Reader, line int, offset int64) error {
	r := newLogReader(line)
	b := &strings.Builder{}
	depth := []string{}
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
			depth = writeEvents(b, events, depth)
		}
	}
	for range depth {
		b.WriteString("</details>")
	}
	p.HTML = template.HTML(b.String()) // made of escaped parts
	return nil
}

// writeEvents shows events; depth are the sections that are open. The time a section took stands in its
// summary by a mark, because it is known only at its end.
func writeEvents(b *strings.Builder, events []logEvent, depth []string) []string {
	for _, e := range events {
		switch e.Type {
		case "line":
			fmt.Fprintf(b, `<div class="l" id="L%d"><a href="?at=%d#L%d">%d</a><span>%s</span></div>`, e.Line, e.Line, e.Line, e.Line, e.HTML)
		case "start":
			open := " open"
			if e.Collapsed {
				open = ""
			}
			fmt.Fprintf(b, `<details data-running data-name="%s"%s><summary><span>%s</span><span class="took"></span></summary>`, e.Name, open, e.HTML)
			depth = append(depth, e.Name)
		case "end":
			at := -1
			for i, name := range depth {
				if name == e.Name {
					at = i
				}
			}
			if at < 0 {
				continue
			}
			b.WriteString(strings.Repeat("</details>", len(depth)-at))
			depth = depth[:at]
			finish(b, e)
		}
	}
	return depth
}

// finish writes how long the section that just ended took into its summary.
func finish(b *strings.Builder, e logEvent) {
	text := b.String()
	mark := `<details data-running data-name="` + e.Name + `"`
	at := strings.LastIndex(text, mark)
	if at < 0 {
		return
	}
	rest := strings.Replace(text[at:], `<details data-running`, `<details`, 1)
	rest = strings.Replace(rest, `<span class="took"></span>`, `<span class="took">`+e.Took+`</span>`, 1)
	b.Reset()
	b.WriteString(text[:at] + rest)
}

// lineReader reads lines of any length and cuts those that are too long to show.
type lineReader struct {
	in   io.Reader
	buf  []byte
	rest []byte
	read int64 // bytes of the lines that were given
	end  bool
}

func newLineReader(in io.Reader) *lineReader { return &lineReader{in: in, buf: make([]byte, 128<<10)} }

// next gives a line; whole says that its newline was there.
func (l *lineReader) next() (line []byte, whole bool, err error) {
	var long []byte
	for {
		if at := bytes.IndexByte(l.rest, '\n'); at >= 0 {
			line = append(long, l.rest[:at]...)
			l.rest = l.rest[at+1:]
			l.read += int64(at) + 1
			return cut(line), true, nil
		}
		l.read += int64(len(l.rest))
		if len(long) < maxLine {
			long = append(long, l.rest...)
		}
		l.rest = nil
		if l.end {
			if len(long) == 0 {
				return nil, false, io.EOF
			}
			return cut(long), false, nil
		}
		n, err := l.in.Read(l.buf)
		l.rest = l.buf[:n]
		if err == io.EOF {
			l.end = true
		} else if err != nil {
			return nil, false, err
		}
	}
}

func cut(line []byte) []byte {
	if len(line) > maxLine {
		return append(line[:maxLine:maxLine], " … (the raw log has the rest of this line)"...)
	}
	return line
}
