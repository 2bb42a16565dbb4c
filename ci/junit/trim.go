package junit

import (
	"bytes"
	"errors"
)

// maxRun is how many bytes of a text, an attribute's value or a comment are handed on. The decoder keeps each of them whole.
const maxRun = 64 << 10

// maxTag is how many bytes a tag may have, with its attributes, so shortened.
const maxTag = 1 << 20

var errTag = errors.New("the report has a tag that is too long")

// trimmer shortens long texts of an XML document before its decoder sees them; the document stays as it is otherwise. It
// works on any character set in which ASCII is itself.
type trimmer struct {
	r     interface{ Read([]byte) (int, error) }
	state state
	end   string // what ends a section
	ended int    // how much of it came
	run   int    // bytes of the text that were handed on
	tag   int    // bytes of the tag that were handed on
	open  []byte // what came since "<", until it is known what it begins
	ref   int    // bytes since an "&" that was handed on; 0: none is open
}

type state int

const (
	inText state = iota
	inMark       // after "<", when it is not known yet what it begins
	inTag
	inSingle  // a value in ' '
	inDouble  // a value in " "
	inSection // a comment, CDATA or an instruction
)

var sections = map[string]string{"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}

// Read hands on what is left.
func (t *trimmer) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil && len(p) > 0 {
		n, err = t.read(p)
	}
	return n, err
}

func (t *trimmer) read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	out := p[:0]
	for i := 0; i < n; {
		if t.state != inMark && t.run > maxRun { // most of a long text is passed over without a look at each byte
			i += t.skip(p[i:n])
			if i >= n {
				break
			}
		}
		c := p[i]
		i++
		if t.take(c) {
			out = append(out, c)
			t.tag++
		}
		if t.tag > maxTag && t.state != inText && t.state != inSection {
			return len(out), errTag
		}
	}
	return len(out), err
}

// skip is how many bytes at the beginning cannot end the text that is passed over.
func (t *trimmer) skip(p []byte) int {
	if t.ref > 0 || t.ended > 0 {
		return 0
	}
	end := map[state]byte{inText: '<', inTag: '>', inSingle: '\'', inDouble: '"'}[t.state]
	if t.state == inSection {
		end = t.end[0]
	}
	if t.state == inTag {
		return 0 // values begin in it, too
	}
	if at := bytes.IndexByte(p, end); at >= 0 {
		return at
	}
	return len(p)
}

// take follows the document and says whether a byte is handed on.
func (t *trimmer) take(c byte) bool {
	switch t.state {
	case inText:
		if c == '<' {
			t.begin(inMark)
			t.tag = 0
			t.open = append(t.open[:0], c)
			return true
		}
		return t.keep(c)
	case inMark:
		t.open = append(t.open, c)
		return t.mark(c)
	case inTag:
		switch c {
		case '>':
			t.begin(inText)
		case '\'':
			t.begin(inSingle)
		case '"':
			t.begin(inDouble)
		}
		return true
	case inSingle, inDouble:
		if c == '\'' && t.state == inSingle || c == '"' && t.state == inDouble {
			t.begin(inTag)
			return true
		}
		return t.keep(c)
	}
	return t.section(c)
}

// mark finds out what "<" begins.
func (t *trimmer) mark(c byte) bool {
	for begin, end := range sections {
		if string(t.open) == begin {
			t.begin(inSection)
			t.end = end
			return true
		}
		if len(t.open) < len(begin) && begin[:len(t.open)] == string(t.open) {
			return true
		}
	}
	t.begin(inTag)
	return t.take(c)
}

// section looks for the end of a section, which is handed on whole.
func (t *trimmer) section(c byte) bool {
	switch {
	case c == t.end[t.ended]:
		t.ended++
	case c == t.end[0] && t.ended == len(t.end)-1: // a third ] or -
	case c == t.end[0]:
		t.ended = 1
	default:
		t.ended = 0
	}
	if t.ended == len(t.end) {
		t.begin(inText)
		return true
	}
	return t.run <= maxRun && t.keep(c) || t.ended > 0
}

func (t *trimmer) begin(s state) { t.state, t.run, t.ended, t.ref = s, 0, 0, 0 }

// keep hands on the beginning of a text. It does not stop within a reference such as &amp; or within a character.
func (t *trimmer) keep(c byte) bool {
	t.run++
	if t.run <= maxRun {
		switch {
		case c == '&':
			t.ref = 1
		case c == ';' || t.ref > 12:
			t.ref = 0
		case t.ref > 0:
			t.ref++
		}
		return true
	}
	if t.ref > 0 {
		if t.ref++; c == ';' || t.ref > 12 {
			t.ref = 0
		}
		return true
	}
	return t.run <= maxRun+4 && c&0xC0 == 0x80
}
