package web

import (
	"bytes"
	"html/template"

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

// belowHeadings is how many headings a page has above a description's own.
const belowHeadings = 2

// markdownHTML shows a description.
func markdownHTML(source string) template.HTML {
	plain := template.HTML("<pre>" + template.HTMLEscapeString(source) + "</pre>")
	if len(source) > maxMarkdown {
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
	if err := markdown.Renderer().Render(&b, raw, doc); err != nil {
		return plain
	}
	return template.HTML(b.String()) // goldmark escapes texts and passes on no HTML
}
