package yaml

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// mend puts right what the scanner gets wrong, before the parser meets it: a plain text whose lines stand ever less far
// in comes in pieces, or swallows an entry, `a:b` between brackets becomes a mapping, a block loses the spaces at its very
// end, and a tag, a dash or a block with nothing behind it takes the next key or entry for its value. Cost: linear.
func mend(in token.Tokens) (token.Tokens, *Error) {
	m := &mender{out: make(token.Tokens, 0, len(in))}
	next := place{1, 1}
	brackets, skip := 0, false
	for i, t := range in {
		if t.Type == token.InvalidType || t.Type == token.TagType { // its line end stands before the next token again
			line := *t
			line.Origin = strings.TrimSuffix(t.Origin, "\n")
			t = &line
		}
		from := next.after(t.Origin[:len(t.Origin)-len(strings.TrimLeft(t.Origin, " \t\r\n"))])
		next = next.after(t.Origin)
		if skip {
			skip = false
			continue
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets--
		}
		last := len(m.out) - 1
		if brackets > 0 && last >= 0 && isText(m.out, last) && colonWithin(in, i, m.tail()) {
			if skip = true; !m.join(t, in[i+1]) {
				return nil, notHere(t.Position)
			}
			continue
		}
		if t.Type == token.StringType && strings.TrimSpace(t.Origin) == "" {
			continue // what is left of the end of a text
		}
		if last >= 0 && continues(in, i) && isText(m.out, last) && t.Position.Column > parentColumn(m.out, last) {
			if !m.join(t) {
				return nil, notHere(t.Position)
			}
			continue
		}
		if !m.flush() {
			return nil, notHere(in[i-1].Position)
		}
		if brackets == 0 {
			m.fill(t, from)
			last = len(m.out) - 1
		}
		switch block := last >= 0 && t.Type != token.CommentType && isBlock(m.out, last); {
		case block && (!isPlain(t) || isKey(in, i)):
			m.out = append(m.out, token.New("", "", m.out[last].Position)) // a block with nothing in it
		case block:
			if t = whole(t); from.column <= parentColumn(m.out, last) && strings.TrimSpace(t.Origin) != "" {
				return nil, &Error{Message: "could not find expected ':': the lines of a block stand further in than its key", Line: from.line, Column: from.column}
			}
		}
		if m.out = append(m.out, t); isText(m.out, len(m.out)-1) && manyLines(t) {
			moved, at := *t, *t.Position
			at.Line, at.Column = from.line, from.column // of a long text it is that of its end
			moved.Position = &at
			if m.out[len(m.out)-1] = folded(&moved); keyIn(&moved) {
				return nil, notHere(&at)
			}
		}
	}
	if !m.flush() {
		return nil, notHere(in[len(in)-1].Position)
	}
	m.fill(nil, place{line: next.line + 1})
	var linked token.Tokens
	linked.Add(m.out...)
	return linked, nil
}

// mender holds the mended tokens, and the pieces of a plain text that belong to the last of them.
type mender struct {
	out    token.Tokens
	pieces []string
	many   bool // they stand on several lines
	hash   bool // there is a # in them
}

// tail is the last piece of the text that the last token is.
func (m *mender) tail() string {
	if n := len(m.pieces); n > 0 {
		return m.pieces[n-1]
	}
	return m.out[len(m.out)-1].Origin
}

// join adds tokens to the text that the last token is; false if that makes it look like a key.
func (m *mender) join(tokens ...*token.Token) bool {
	if m.pieces == nil {
		first := m.out[len(m.out)-1].Origin
		m.pieces, m.many, m.hash = []string{first}, false, strings.Contains(first, "#")
	}
	for _, t := range tokens {
		m.many = m.many || strings.Contains(strings.TrimLeft(m.tail(), " \t\r\n"), "\n") || strings.Contains(strings.TrimRight(t.Origin, " \t\r\n"), "\n")
		if m.many && !m.hash && aKey.MatchString(strings.TrimSpace(t.Origin)) {
			return false
		}
		m.hash = m.hash || strings.Contains(t.Origin, "#")
		m.pieces = append(m.pieces, t.Origin)
	}
	return true
}

// flush puts the pieces of a text together, once; false if the whole looks like a key.
func (m *mender) flush() bool {
	if m.pieces == nil {
		return true
	}
	joined := *m.out[len(m.out)-1]
	joined.Origin, joined.Type = strings.Join(m.pieces, ""), token.StringType
	joined.Value, m.pieces = strings.TrimSpace(joined.Origin), nil
	m.out[len(m.out)-1] = folded(&joined)
	return !keyIn(&joined)
}

// fill gives a tag, an anchor or a dash that next, which begins at from, does not belong to a value of its own. At the end
// next is nil.
func (m *mender) fill(next *token.Token, from place) {
	at := len(m.out) - 1
	for at >= 0 && m.out[at].Type == token.CommentType {
		at--
	}
	if at < 0 || next != nil && next.Type == token.CommentType {
		return
	}
	switch t := m.out[at]; {
	case (t.Type == token.TagType || at > 0 && m.out[at-1].Type == token.AnchorType) && standsBeside(m.out, at, next, from),
		t.Type == token.SequenceEntryType && from.line > t.Position.Line && from.column <= t.Position.Column:
		nothing := token.New("null", "", t.Position)
		if t.Type == token.TagType && t.Value == "!!str" {
			nothing = token.SingleQuote("", "''", t.Position)
		}
		m.out = slices.Insert(m.out, at+1, nothing)
	}
}

// colonWithin says whether the token i is a colon within a plain text: between brackets that is one with nothing but text
// around it.
func colonWithin(tokens token.Tokens, i int, before string) bool {
	return tokens[i].Type == token.MappingValueType && tokens[i].Origin == ":" && i+1 < len(tokens) && isPlain(tokens[i+1]) &&
		strings.TrimRight(before, " \t\r\n") == before && strings.TrimLeft(tokens[i+1].Origin, " \t\r\n") == tokens[i+1].Origin
}

func isPlain(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.BoolType, token.NullType, token.BinaryIntegerType,
		token.OctetIntegerType, token.HexIntegerType, token.InfinityType, token.NanType:
		return true
	}
	return false
}

// isText says whether a token is a plain text, and not the name of an anchor or a block of lines.
func isText(tokens token.Tokens, i int) bool {
	if i > 0 && (tokens[i-1].Type == token.AnchorType || tokens[i-1].Type == token.AliasType) {
		return false
	}
	return isPlain(tokens[i]) && !isBlock(tokens, i-1)
}

// isBlock says whether the token i is the mark of a block of lines, or a comment behind it.
func isBlock(tokens token.Tokens, i int) bool {
	for i >= 0 && tokens[i].Type == token.CommentType {
		i--
	}
	return i >= 0 && (tokens[i].Type == token.LiteralType || tokens[i].Type == token.FoldedType)
}

// whole gives a block the spaces at the end of its last line back.
func whole(t *token.Token) *token.Token {
	lines := strings.TrimRight(t.Origin, " \t\r\n")
	end, empty, _ := strings.Cut(t.Origin[len(lines):], "\n")
	text := strings.TrimRight(t.Value, "\n")
	if lines == "" || end == "" || strings.HasSuffix(text, end) {
		return t
	}
	first := strings.TrimLeft(lines, "\n")
	indent := len(first) - len(strings.TrimLeft(first, " "))
	for line := range strings.SplitSeq(empty, "\n") {
		if len(line) > indent { // the last line is one of spaces
			return t
		}
	}
	mended := *t
	mended.Value = strings.TrimRight(text, " \t") + end + t.Value[len(text):]
	return &mended
}

// continues says whether a token may be one more piece of a plain text: a key is none.
func continues(tokens token.Tokens, i int) bool {
	switch tokens[i].Type {
	case token.SequenceEntryType: // a dash in the text
		return i+1 < len(tokens) && isPlain(tokens[i+1]) && !isKey(tokens, i+1)
	case token.AnchorType, token.AliasType, token.TagType: // a line that begins with &, * or !
		return true
	case token.InvalidType: // or with a pipe, or the sign for output
		line := strings.TrimSpace(tokens[i].Origin)
		return strings.HasPrefix(line, "|") || strings.HasPrefix(line, ">")
	}
	return isPlain(tokens[i]) && !isKey(tokens, i)
}

func isKey(tokens token.Tokens, i int) bool {
	return i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType
}

// parentColumn is where the key or the dash stands that the token i is the value of; 0 at the top of a document.
func parentColumn(tokens token.Tokens, i int) int {
	column, _ := parent(tokens, i)
	return column
}

// parent also says whether that is a key.
func parent(tokens token.Tokens, i int) (column int, key bool) {
	for i--; i >= 0; i-- {
		switch t := tokens[i]; t.Type {
		case token.MappingValueType:
			if i > 0 {
				return tokens[i-1].Position.Column, true
			}
		case token.SequenceEntryType, token.MappingKeyType:
			return t.Position.Column, false
		case token.TagType, token.AnchorType, token.LiteralType, token.FoldedType, token.CommentType:
		case token.StringType:
			if i > 0 && tokens[i-1].Type == token.AnchorType { // its name
				continue
			}
			return 0, false
		default:
			return 0, false
		}
	}
	return 0, false
}

// standsBeside says whether next, which begins at from, follows what the tag or anchor belongs to, rather than being its
// value.
func standsBeside(tokens token.Tokens, at int, next *token.Token, from place) bool {
	if from.line == tokens[at].Position.Line {
		return false
	}
	column, key := parent(tokens, at)
	if key && next != nil && next.Type == token.SequenceEntryType {
		return from.column < column // a list may stand at the depth of its key
	}
	return column > 0 && from.column <= column
}

// place is where a character stands.
type place struct{ line, column int }

func (p place) after(text string) place {
	if n := strings.Count(text, "\n"); n > 0 {
		p.line, p.column = p.line+n, 1
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	p.column += utf8.RuneCountInString(text)
	return p
}

func manyLines(t *token.Token) bool { return strings.Contains(strings.TrimSpace(t.Origin), "\n") }

var aKey = regexp.MustCompile(`^[^#]*?:(?:\s|$)`)

// keyIn says whether a plain text of many lines holds what looks like a key, which no such text may.
func keyIn(t *token.Token) bool { return manyLines(t) && aKey.MatchString(strings.TrimSpace(t.Origin)) }

func notHere(p *token.Position) *Error {
	return &Error{Message: "mapping values are not allowed in this context", Line: p.Line, Column: p.Column}
}

var lineEnds = regexp.MustCompile(`[ \t\r]*\n\s*`)

// folded puts the lines of a plain text together: a line end is a space, empty lines are line ends.
func folded(t *token.Token) *token.Token {
	if !manyLines(t) {
		return t
	}
	out := *t
	out.Value = lineEnds.ReplaceAllStringFunc(strings.TrimSpace(t.Origin), func(gap string) string {
		if n := strings.Count(gap, "\n"); n > 1 {
			return strings.Repeat("\n", n-1)
		}
		return " "
	})
	return &out
}
