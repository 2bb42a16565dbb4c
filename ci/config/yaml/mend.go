package yaml

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// mend puts right what the scanner gets wrong, before the parser meets it: a plain text whose lines stand ever less far
// in comes in pieces, or swallows an entry, `a:b` between brackets becomes a mapping, a block loses the spaces at its very end, and a tag with nothing behind it takes the next key or
// entry for its value.
func mend(in token.Tokens) (token.Tokens, *Error) {
	out := make(token.Tokens, 0, len(in))
	next := place{1, 1}
	brackets, skip := 0, false
	for i, t := range in {
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
		last := len(out) - 1
		if brackets > 0 && last >= 0 && isText(out, last) && colonWithin(in, i, out[last]) {
			joined := *out[last]
			joined.Origin += t.Origin + in[i+1].Origin
			joined.Value, joined.Type = strings.TrimSpace(joined.Origin), token.StringType
			out[last], skip = folded(&joined), true
			continue
		}
		if t.Type == token.StringType && strings.TrimSpace(t.Origin) == "" {
			continue // what is left of the end of a text
		}
		if last >= 0 && continues(in, i) && isText(out, last) && t.Position.Column > parentColumn(out, last) {
			joined := *out[last]
			joined.Origin += t.Origin
			joined.Type = token.StringType
			if out[last] = folded(&joined); keyIn(out[last]) {
				return nil, notHere(t.Position)
			}
			continue
		}
		if last >= 0 && out[last].Type == token.TagType && standsBeside(out, last, t) {
			out = append(out, token.New("null", "", out[last].Position))
		}
		if last >= 0 && isPlain(t) && isBlock(out, last) {
			if t = whole(t); from.column <= parentColumn(out, last) && strings.TrimSpace(t.Origin) != "" {
				return nil, &Error{Message: "could not find expected ':': the lines of a block stand further in than its key", Line: from.line, Column: from.column}
			}
		}
		if out = append(out, t); isText(out, len(out)-1) && manyLines(t) {
			moved, at := *t, *t.Position
			at.Line, at.Column = from.line, from.column // of a long text it is that of its end
			moved.Position = &at
			if out[len(out)-1] = folded(&moved); keyIn(&moved) {
				return nil, notHere(&at)
			}
		}
	}
	var linked token.Tokens
	linked.Add(out...)
	return linked, nil
}

// colonWithin says whether the token i is a colon within a plain text: between brackets that is one with nothing but text
// around it.
func colonWithin(tokens token.Tokens, i int, before *token.Token) bool {
	return tokens[i].Type == token.MappingValueType && tokens[i].Origin == ":" && i+1 < len(tokens) && isPlain(tokens[i+1]) &&
		strings.TrimRight(before.Origin, " \t\r\n") == before.Origin && strings.TrimLeft(tokens[i+1].Origin, " \t\r\n") == tokens[i+1].Origin
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
	end, _, _ := strings.Cut(t.Origin[len(lines):], "\n")
	text := strings.TrimRight(t.Value, "\n")
	if end = strings.TrimRight(end, "\r"); lines == "" || end == "" || strings.HasSuffix(text, end) {
		return t
	}
	mended := *t
	mended.Value = strings.TrimRight(text, " \t") + end + t.Value[len(text):]
	return &mended
}

// continues says whether a token may be one more piece of a plain text: a key is none.
func continues(tokens token.Tokens, i int) bool {
	if tokens[i].Type == token.SequenceEntryType { // a dash in the text
		return i+1 < len(tokens) && isPlain(tokens[i+1]) && !isKey(tokens, i+1)
	}
	return isPlain(tokens[i]) && !isKey(tokens, i)
}

func isKey(tokens token.Tokens, i int) bool {
	return i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType
}

// parentColumn is where the key or the dash stands that the token i is the value of; 0 at the top of a document.
func parentColumn(tokens token.Tokens, i int) int {
	for i--; i >= 0; i-- {
		switch t := tokens[i]; t.Type {
		case token.MappingValueType:
			if i > 0 {
				return tokens[i-1].Position.Column
			}
		case token.SequenceEntryType, token.MappingKeyType:
			return t.Position.Column
		case token.TagType, token.AnchorType, token.LiteralType, token.FoldedType, token.CommentType:
		case token.StringType:
			if i > 0 && tokens[i-1].Type == token.AnchorType { // its name
				continue
			}
			return 0
		default:
			return 0
		}
	}
	return 0
}

// standsBeside says whether next follows what the tag belongs to, rather than being the tag's value.
func standsBeside(tokens token.Tokens, tag int, next *token.Token) bool {
	if next.Position.Line == tokens[tag].Position.Line {
		return false
	}
	column := parentColumn(tokens, tag)
	if next.Type == token.SequenceEntryType && tag > 0 && tokens[tag-1].Type == token.MappingValueType {
		return next.Position.Column < column // a list may stand at the depth of its key
	}
	return column > 0 && next.Position.Column <= column
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
