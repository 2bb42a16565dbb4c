package yaml

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// mend puts right what the scanner gets wrong, before the parser meets it:
// a plain text whose lines stand ever less far in comes in pieces, and a tag with nothing behind it takes the next
// key or entry for its value.
func mend(in token.Tokens) token.Tokens {
	out := make(token.Tokens, 0, len(in))
	for i, t := range in {
		last := len(out) - 1
		if last >= 0 && continues(in, i) && isText(out, last) && t.Position.Column > parentColumn(out, last) {
			joined := *out[last]
			joined.Value += between(joined.Origin, t.Origin) + strings.TrimSpace(t.Value)
			joined.Origin += t.Origin
			joined.Type = token.StringType
			out[last] = &joined
			continue
		}
		if last >= 0 && out[last].Type == token.TagType && standsBeside(out, last, t) {
			out = append(out, token.New("null", "", out[last].Position))
		}
		out = append(out, t)
	}
	var linked token.Tokens
	linked.Add(out...)
	return linked
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
	if i > 0 {
		switch tokens[i-1].Type {
		case token.AnchorType, token.AliasType, token.LiteralType, token.FoldedType:
			return false
		}
	}
	return isPlain(tokens[i])
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
		case token.TagType, token.AnchorType:
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

// between is what the space between two pieces of plain text stands for: a line end is a space, empty lines are
// line ends.
func between(before, after string) string {
	const space = " \t\r\n"
	gap := before[len(strings.TrimRight(before, space)):] + after[:len(after)-len(strings.TrimLeft(after, space))]
	switch n := strings.Count(gap, "\n"); n {
	case 0:
		return gap
	case 1:
		return " "
	default:
		return strings.Repeat("\n", n-1)
	}
}
