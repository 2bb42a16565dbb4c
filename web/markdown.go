package web

import (
	"bytes"
	"errors"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// markdown reads what people write as descriptions. HTML within it is left out, and so are addresses that run something.
var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM))

// maxMarkdown bounds what is read as Markdown: the time that nested brackets and quotes take grows with the square of their
// number. A longer text is shown as it was written.
const maxMarkdown = 8 << 10

// Bounds of what comes of a text. A table has as many cells in each line as in its first one, however short the line is, and a
// reference stands for an address as often as it is named: a short text could be seconds of work, and megabytes.
const (
	maxCells = 10_000
	maxHTML  = 256 << 10
)

// belowHeadings is how many headings a page has above a description's own.
const belowHeadings = 2

// markdownHTML shows a description.
func markdownHTML(source string) template.HTML {
	plain := template.HTML("<pre>" + template.HTMLEscapeString(source) + "</pre>")
	if len(source) > maxMarkdown || cells(source) > maxCells {
		return plain
	}
	raw := []byte(source)
	doc := markdown.Parser().Parse(text.NewReader(raw))
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			h.Level = min(6, h.Level+belowHeadings)
		}
	}
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&atMost{&b}, raw, doc); err != nil {
		return plain
	}
	return template.HTML(b.String()) // goldmark escapes texts and passes on no HTML
}

// cells is how many cells the tables of a text may have at most.
func cells(source string) int {
	lines, widest := 0, 0
	for line := range strings.Lines(source) {
		lines++
		widest = max(widest, strings.Count(line, "|")+1)
	}
	return lines * widest
}

// atMost fails on more than maxHTML.
type atMost struct{ to *bytes.Buffer }

var errLong = errors.New("the text becomes too long")

func (a *atMost) Write(p []byte) (int, error) {
	if a.to.Len()+len(p) > maxHTML {
		return 0, errLong
	}
	return a.to.Write(p)
}
