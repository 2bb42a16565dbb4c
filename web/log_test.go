package web

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"testing"

	"signalbox/ci/trace"
)

// shownLog renders a whole log as a page has it, without what the elements are made of.
func shownLog(t *testing.T, text string, at int) (*logPart, string) {
	t.Helper()
	log := &memoryLog{bytes.NewReader([]byte(text))}
	index, err := trace.NewIndex(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := readPart(t.Context(), log, index, at)
	if err != nil {
		t.Fatal(err)
	}
	return p, string(p.HTML)
}

type memoryLog struct{ *bytes.Reader }

func (memoryLog) Close() error  { return nil }
func (m memoryLog) Size() int64 { return m.Reader.Size() }

func line(n int, html string) string {
	return fmt.Sprintf(`<div class="l" id="L%d"><a href="?at=%d#L%d">%d</a><span>%s</span></div>`, n, n, n, n, html)
}

func section(open bool, running bool, name string, began int, title, took string, inner ...string) string {
	state, mark := "     ", strings.Repeat(" ", len(markRunning))
	if open {
		state = markOpen
	}
	if running {
		mark = markRunning
	}
	return fmt.Sprintf(`<details%s%s data-name="%s" data-began="%d"><summary><span>%s</span><span class="took">%-9s</span></summary>%s</details>`,
		state, mark, name, began, title, took, strings.Join(inner, ""))
}

func TestLogs(t *testing.T) {
	const e0 = "\x1b[0K"
	start := func(at int, name, title string) string {
		return fmt.Sprintf("section_start:%d:%s\r%s%s", at, name, e0, title)
	}
	end := func(at int, name string) string { return fmt.Sprintf("section_end:%d:%s\r%s", at, name, e0) }
	stamp := func(n int, goesOn bool, text string) string {
		mark := " "
		if goesOn {
			mark = "+"
		}
		return fmt.Sprintf("2026-11-24T09:00:%02d.000000Z 01O%s%s\n", n, mark, text)
	}
	for _, c := range []struct{ name, log, want string }{
		{"lines", "a\n\nb", line(1, "a") + line(2, "") + line(3, "b")},
		{
			"a section with GitLab's own prefix leaves no empty lines", "x\n" + e0 + start(10, "one", "Title") + "\nin\n" + e0 + end(75, "one") + "\nafter\n",
			line(1, "x") + section(true, false, "one", 10, "Title", "01:05", line(3, "in")) + line(5, "after"),
		},
		{"a section without a title is named", start(1, "get_sources", "") + "\n" + end(2, "get_sources") + "\n", section(true, false, "get_sources", 1, "get sources", "00:01")},
		{"collapsed", start(1, "a[collapsed=true]", "A") + "\nx\n" + end(3, "a") + "\n", section(false, false, "a", 1, "A", "00:02", line(2, "x"))},
		{
			"a section that its parent cuts off is opened", start(1, "p", "P") + "\n" + start(1, "a[collapsed=true]", "A") + "\nfailed here\n" + end(4, "p") + "\n",
			section(true, false, "p", 1, "P", "00:03", section(true, false, "a", 1, "A", "", line(3, "failed here"))),
		},
		{"so is one that the end of the log cuts off", start(1, "a[collapsed=true]", "A") + "\nx\n", section(true, true, "a", 1, "A", "", line(2, "x"))},
		{"more than an hour", start(0, "a", "A") + "\n" + end(3725, "a") + "\n", section(true, false, "a", 0, "A", "1:02:05")},
		{"a marker that is only shown", `$ echo "section_start:1:a\r\033[0KTitle"` + "\n", line(1, `$ echo &#34;section_start:1:a\r\033[0KTitle&#34;`)},
		{"an end without a beginning", end(1, "a") + "\nx\n", line(2, "x")},
		{
			"a timed log", stamp(1, false, "one") + stamp(2, true, " and more") + stamp(3, false, "two"),
			strings.Replace(line(1, "one and more"), `id="L1"`, `id="L1" data-at="09:00:02"`, 1) + strings.Replace(line(3, "two"), `id="L3"`, `id="L3" data-at="09:00:03"`, 1),
		},
		{
			"progress in a timed log", stamp(1, false, "10%\r") + stamp(2, true, "50%\r") + stamp(3, true, "100%"),
			strings.Replace(line(1, "100%"), `id="L1"`, `id="L1" data-at="09:00:03"`, 1),
		},
		{
			"sections in a timed log", stamp(1, false, e0+start(5, "s", "S")) + stamp(2, false, "in") + stamp(3, false, end(6, "s")),
			section(true, false, "s", 5, "S", "00:01", strings.Replace(line(2, "in"), `id="L2"`, `id="L2" data-at="09:00:02"`, 1)),
		},
		{"colours over lines", "\x1b[38;5;196;1mred\nstill\x1b[22;39m no\n", line(1, `<span class="f196 bold">red</span>`) + line(2, `<span class="f196 bold">still</span> no`)},
		{"true colours", "\x1b[38;2;255;0;0;48;2;0;0;95mx\x1b[0m", line(1, `<span class="f196 b18">x</span>`)},
		{"reversed, dim, struck", "\x1b[31;7ma\x1b[27;2mb\x1b[22;9mc", line(1, `<span class="b1 rf">a</span><span class="f1 dim">b</span><span class="f1 strike">c</span>`)},
		{"colours of what was written over", "\x1b[31mold\rnew", line(1, `<span class="f1">new</span>`)},
		{"backspaces", "ab\b\bcd", line(1, "cd")},
		{"an address", "see https://example.com/a?b=1&c=2, or not", line(1, `see <a href="https://example.com/a?b=1&amp;c=2" rel="noopener noreferrer nofollow" target="_blank">https://example.com/a?b=1&amp;c=2</a>, or not`)},
		{"an OSC 8 link", "\x1b]8;;https://example.com\x07here\x1b]8;;\x07 on", line(1, `<a href="https://example.com" rel="noopener noreferrer nofollow" target="_blank">here</a> on`)},
		{"a script behind OSC 8", "\x1b]8;;javascript:alert(1)\x07here\x1b]8;;\x07", line(1, "here")},
		{"hostile", "<script>\"'\x00\xff", line(1, "&lt;script&gt;&#34;&#39;\uFFFD")},
	} {
		if _, got := shownLog(t, c.log, 0); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// TestPartsOfALongLog: every line is on some page, and the pages lead to one another.
func TestPartsOfALongLog(t *testing.T) {
	var b strings.Builder
	for n := range 15_000 {
		fmt.Fprintf(&b, "line %d\n", n+1)
	}
	text := b.String()
	p, html := shownLog(t, text, 0)
	if p.Last != 15_000 || p.First != 11_001 || !strings.Contains(html, "line 15000<") || p.Offset != int64(len(text)) || p.Later != 0 {
		t.Errorf("the end: %+v", p)
	}
	pages, first := 1, p.First
	for p.Earlier != 0 {
		p, html = shownLog(t, text, p.Earlier)
		if p.Last < first-1 || !strings.Contains(html, fmt.Sprintf("line %d<", p.First)) || strings.Count(html, "<div") != p.Last-p.First+1 {
			t.Fatalf("page %d: %d to %d, before %d", pages, p.First, p.Last, first)
		}
		first = p.First
		pages++
	}
	if first != 1 || pages > 5 {
		t.Errorf("%d pages back to line %d", pages, first)
	}
	last := p.Last
	for p.Later != 0 {
		if p, _ = shownLog(t, text, p.Later); p.First > last+1 || p.Last <= last {
			t.Fatalf("%d to %d, behind %d", p.First, p.Last, last)
		}
		last = p.Last
	}
	if last != 15_000 {
		t.Errorf("forward to line %d", last)
	}
}

func TestSearchInLogs(t *testing.T) {
	log := "one\n\x1b[31mERR\x1b[0mOR: two\nsection_start:1:error\r\x1b[0KTitle\nthree error\n"
	hits, more, err := search(t.Context(), strings.NewReader(log), false, "error")
	if err != nil || more || len(hits) != 2 || hits[0].Line != 2 || hits[0].Text != "ERROR: two" || hits[1].Line != 4 {
		t.Errorf("%v %v %v", hits, more, err)
	}
	if hits, more, _ := search(t.Context(), strings.NewReader(strings.Repeat("x\n", 1000)), false, "X"); len(hits) != maxHits || !more {
		t.Errorf("%d hits, more %v", len(hits), more)
	}
}

// TestPagesAndStreamsAgree: whatever part of a log a page has when a stream takes over, and in whatever pieces
// the rest comes, the page ends with the log as it would be shown at once.
func TestPagesAndStreamsAgree(t *testing.T) {
	var plain, timed strings.Builder
	for n := range 9000 {
		fmt.Fprintf(&plain, "\x1b[3%dmthis is line %d\x1b[0m\n", n%8, n)
		mark := " "
		if n%3 > 0 {
			mark = "+"
		}
		fmt.Fprintf(&timed, "2026-11-24T09:00:01.000000Z 01O%sthis is part %d\n", mark, n)
	}
	plain.WriteString(strings.Repeat("long ", 150_000) + "\nlast")
	for name, whole := range map[string]string{"plain": plain.String(), "timed": timed.String()} {
		for _, cut := range []int{0, 1, 10, 5000, 200_001, len(whole) - 3} {
			page := map[int]template.HTML{}
			first, _ := trace.NewIndex(strings.NewReader(whole[:cut]))
			p, err := readPart(t.Context(), &memoryLog{bytes.NewReader([]byte(whole[:cut]))}, first, 0)
			if err != nil {
				t.Fatal(err)
			}
			tail := &tail{offset: p.Offset, reader: newLogReader(p.Whole, false)}
			for _, seen := range []int{cut, min(cut+70_001, len(whole)), len(whole)} {
				log := &memoryLog{bytes.NewReader([]byte(whole[:seen]))}
				if (!tail.primed || tail.offset == 0) && seen > 0 {
					if err := tail.prime(log); err != nil {
						t.Fatal(err)
					}
				}
				for tail.offset < int64(seen) {
					events, taken, err := tail.batch(log, seen == len(whole))
					if err != nil {
						t.Fatal(err)
					}
					if taken == 0 {
						break
					}
					tail.offset += taken
					for _, e := range events {
						page[e.Line] = e.HTML
					}
				}
			}
			if tail.offset != int64(len(whole)) {
				t.Errorf("%s from %d: ended at %d of %d", name, cut, tail.offset, len(whole))
			}
			at := newLogReader(0, name == "timed")
			lines := newLineReader(strings.NewReader(whole))
			want := map[int]template.HTML{}
			for {
				raw, _, err := lines.next()
				if err != nil {
					break
				}
				for _, e := range at.read(raw) {
					want[e.Line] = e.HTML
				}
			}
			for _, e := range at.flush() {
				want[e.Line] = e.HTML
			}
			for n, html := range page {
				if len(html) < maxLine && want[n] != html {
					t.Fatalf("%s from %d: line %d is %q, want %q", name, cut, n, html, want[n])
				}
			}
			for n := range want {
				if _, there := page[n]; !there && n > p.Whole {
					t.Fatalf("%s from %d: line %d is missing", name, cut, n)
				}
			}
		}
	}
}

// TestPartsAreBounded: what a page costs does not depend on how long lines are or how often they go on.
func TestPartsAreBounded(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 60<<10)+"\n", 100)
	p, html := shownLog(t, long, 0)
	if len(html) > 2*windowBytes || p.Last != 100 || p.First < 2 || p.Earlier == 0 {
		t.Errorf("lines %d to %d: %d bytes", p.First, p.Last, len(html))
	}
	if p, html = shownLog(t, strings.Repeat(strings.Repeat("y", 6<<10)+"\n", 9000), 2000); len(html) > 2*windowBytes || p.Later == 0 || p.Last < 1000 {
		t.Errorf("in the middle: lines %d to %d, %d bytes", p.First, p.Last, len(html))
	}
	var dots strings.Builder
	for n := range 30_000 {
		fmt.Fprintf(&dots, "2026-11-24T09:00:01.000000Z 01O%s\x1b[31m.\x1b[0m\n", map[bool]string{true: " ", false: "+"}[n == 0])
	}
	r := newLogReader(0, true)
	events := 0
	lines := newLineReader(strings.NewReader(dots.String()))
	for {
		raw, _, err := lines.next()
		if err != nil {
			break
		}
		events += len(r.read(raw))
	}
	if events != 0 || len(r.flush()) != 1 {
		t.Errorf("a line that goes on 30,000 times was rendered %d times", events)
	}
}
