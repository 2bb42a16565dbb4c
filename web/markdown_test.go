package web

import (
	"strings"
	"testing"
	"time"
)

// TestMarkdownRunsNothing: descriptions are shown with their headings below the page's, and nothing in them is HTML of ours.
func TestMarkdownRunsNothing(t *testing.T) {
	for in, want := range map[string]string{
		"# 1.0\n\n* new ([a1b2](https://example.com/a))": "<h3>1.0</h3>\n<ul>\n<li>new (<a href=\"https://example.com/a\">a1b2</a>)</li>\n</ul>\n",
		"<script>alert(1)</script>":                      "<!-- raw HTML omitted -->\n",
		"a <b onclick=x>b</b>":                           "<p>a <!-- raw HTML omitted -->b<!-- raw HTML omitted --></p>\n",
		"[x](javascript:alert(1)) <javascript:alert(1)>": "<p><a href=\"\">x</a> <a href=\"\">javascript:alert(1)</a></p>\n",
		"`a<b`": "<p><code>a&lt;b</code></p>\n",
	} {
		if got := string(markdownHTML(in)); got != want {
			t.Errorf("%q = %q, want %q", in, got, want)
		}
	}
	if long := string(markdownHTML(strings.Repeat("# <b>\n", maxMarkdown))); !strings.HasPrefix(long, "<pre># &lt;b&gt;") {
		t.Errorf("a long text: %.40s", long)
	}
}

// TestMarkdownIsReadInTime, also if somebody means to keep the page busy.
func TestMarkdownIsReadInTime(t *testing.T) {
	for _, piece := range []string{"[", "![", "*a ", "**a _b ", "> ", "- ", "`", "``a", "<", "|a", "[a](", "~~a", "&", "\\", "a@b.", "http://", "[x]: y\n", "_*"} {
		from := time.Now()
		markdownHTML(strings.Repeat(piece, maxMarkdown/len(piece)))
		if took := time.Since(from); took > 5*time.Second { // some take a tenth of a second
			t.Errorf("%q: %s", piece, took)
		}
	}
}

// TestMarkdownStaysShort, and so quick, where a short text stands for a long one; it is shown as it was written then.
func TestMarkdownStaysShort(t *testing.T) {
	const columns = 600
	table := strings.Repeat("|a", columns) + "|\n" + strings.Repeat("|-", columns) + "|\n"
	for what, text := range map[string]string{
		"a wide table of many short lines": table + strings.Repeat("|\n", (maxMarkdown-len(table))/2),
		"a long address, named often":      "[a]: <" + strings.Repeat("x", maxMarkdown/2) + ">\n\n" + strings.Repeat("[a]", maxMarkdown/6-10),
	} {
		got := string(markdownHTML(text))
		if len(text) > maxMarkdown || len(got) > maxHTML || !strings.HasPrefix(got, "<pre>") {
			t.Errorf("%s: %d bytes of %d: %.20s", what, len(got), len(text), got)
		}
	}
	rows := "| a | b | c |\n|---|---|---|\n" + strings.Repeat("| 1 | 2 | 3 |\n", 500)
	if got := string(markdownHTML(rows)); !strings.HasPrefix(got, "<table>") {
		t.Errorf("a table: %.20s", got)
	}
}
