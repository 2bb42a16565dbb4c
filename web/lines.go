package web

import (
	"bytes"
	"context"
	"io"
	"strings"

	"signalbox/internal/terminal"
)

// maxLine cuts lines that no page could show.
const maxLine = 64 << 10

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

// hit is a line of a log that holds what was searched for.
type hit struct {
	Line int
	Text string
}

// maxHits is where a search ends.
const maxHits = 200

// search finds the lines of a whole log that hold a text, whatever its case and colours. more says that there
// are others. Cost: one pass over the log.
func search(ctx context.Context, log io.Reader, timed bool, text string) (hits []hit, more bool, err error) {
	text = strings.ToLower(text)
	lines := newLineReader(log)
	number := 1 // of the line that is shown, which others may go on with
	for n := 1; ; n++ {
		raw, _, err := lines.next()
		if err == io.EOF {
			return hits, false, nil
		}
		if err != nil {
			return hits, false, err
		}
		if n%window == 0 && ctx.Err() != nil {
			return hits, false, ctx.Err()
		}
		if timed && len(raw) >= stampSize && stamped.Match(raw[:stampSize]) {
			if raw[stampSize-1] != '+' {
				number = n
			}
			raw = raw[stampSize:]
		} else {
			number = n
		}
		line := sectionStart.ReplaceAllString(string(raw), "")
		line = terminal.Strip(line)
		if !strings.Contains(strings.ToLower(line), text) {
			continue
		}
		if len(hits) == maxHits {
			return hits, true, nil
		}
		hits = append(hits, hit{number, strings.ToValidUTF8(line[:min(len(line), 300)], "\uFFFD")})
	}
}
