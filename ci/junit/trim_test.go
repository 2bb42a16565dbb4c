package junit

import (
	"bytes"
	"encoding/xml"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// blanks are many spaces without the memory for them.
type blanks struct{ left int }

func (b *blanks) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), b.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	b.left -= n
	return n, nil
}

// TestLongTextsCostNoMemory, wherever in the document they stand.
func TestLongTextsCostNoMemory(t *testing.T) {
	const size = 64 << 20
	for _, around := range [][2]string{
		{"", "<testsuite/>"},
		{"<testsuite>", "</testsuite>"},
		{"<testsuite><!--", "--></testsuite>"},
		{"<testsuite><testcase name='x'><system-out><![CDATA[", "]]></system-out></testcase></testsuite>"},
		{"<testsuite><testcase name='x'><failure>", "</failure></testcase></testsuite>"},
		{"<testsuite><testcase name='x", "'/></testsuite>"},
		{`<testsuite a="`, `"/>`},
		{"<?x ", "?><testsuite/>"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(io.MultiReader(strings.NewReader(around[0]), &blanks{size}, strings.NewReader(around[1])))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err != nil || used > size/8 {
			t.Errorf("%q: %d MB, %v", around, used>>20, err)
		}
	}
}

func TestLongTagsAreRefused(t *testing.T) {
	for _, around := range [][2]string{{"<a", "/>"}, {"<a b='x'", "/>"}, {"<!DOCTYPE", "><a/>"}} {
		if _, err := Parse(io.MultiReader(strings.NewReader(around[0]), &blanks{64 << 20}, strings.NewReader(around[1]))); err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%q: %v", around, err)
		}
	}
}

// TestTrimmerKeepsTheDocument: what is short is handed on as it is, and what is long stays well formed.
func TestTrimmerKeepsTheDocument(t *testing.T) {
	long := strings.Repeat("é&amp;]", maxRun)
	for in, same := range map[string]bool{
		`<a b='c>"' d="'e"><!-- <x> - -->f<![CDATA[ <y>]]]] > ]]]>g<?h i?></a>`: true,
		`<?xml version="1.0"?><!DOCTYPE a><a>&lt;é</a>`:                         true,
		"<a>" + long + "</a>": false, `<a b="` + long + `"/>`: false, "<a><![CDATA[" + long + "]]]></a>": false, "<a><!--" + long + "--></a>": false,
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			out, err := io.ReadAll(&trimmer{r: wrap(strings.NewReader(in))})
			if err != nil || same != (string(out) == in) || len(out) > 2*maxRun {
				t.Errorf("%.60q became %.60q (%d bytes), %v", in, out, len(out), err)
			}
			d := xml.NewDecoder(bytes.NewReader(out))
			for err == nil {
				_, err = d.Token()
			}
			if err != io.EOF {
				t.Errorf("%.60q: %v", in, err)
			}
		}
	}
}
