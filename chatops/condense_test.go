package chatops

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

func mark(kind, name string) string { return "section_" + kind + ":1:" + name + "\r\x1b[0K" }

// endless gives a text again and again, up to a number of bytes.
type endless struct {
	text string
	left int
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), e.left)], e.text[e.at:])
	e.at, e.left = (e.at+n)%len(e.text), e.left-n
	return n, nil
}

// TestCondenseKeepsSmallLogs: whatever the parts are in which a log is read, all of it is kept.
func TestCondenseKeepsSmallLogs(t *testing.T) {
	parts := []string{mark("start", "chat_reply"), mark("end", "chat_reply"), mark("start", "step_script"), "section_", "section_start:1:other\r\x1b[0K", "text\n", "sec", "é", "\n", strings.Repeat("x", 500)}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b strings.Builder
		for range r.IntN(400) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		for _, reader := range []io.Reader{strings.NewReader(b.String()), iotest.OneByteReader(strings.NewReader(b.String())), iotest.DataErrReader(strings.NewReader(b.String()))} {
			got, cut, err := condense(reader)
			if err != nil || cut || string(got) != b.String() {
				t.Fatalf("seed %d: cut %v, %v: %q, want %q", seed, cut, err, got, b.String())
			}
		}
	}
}

// TestCondenseIsBounded: what is kept of a gigabyte is what a reply shows, and little more.
func TestCondenseIsBounded(t *testing.T) {
	big := func() io.Reader { return &endless{text: "a line of a log\n", left: 256 << 20} }
	got, cut, err := condense(io.MultiReader(strings.NewReader(mark("start", "step_script")+"\nfirst\n"), big(), strings.NewReader(mark("start", "chat_reply")+"\nhead\n"), big(),
		strings.NewReader("tail\n"+mark("end", "chat_reply")), big(), strings.NewReader("last\n"+mark("end", "step_script"))))
	if err != nil || !cut || len(got) > keptInAll+mostMarks*longestMark {
		t.Fatalf("%d bytes are kept, cut %v, %v", len(got), cut, err)
	}
	e := Extract(got, false)
	if text := bounded(e.Text); e.Section != ChatReply || !strings.HasPrefix(text, "head\na line of a log\n") || !strings.HasSuffix(text, "\na line of a log\ntail") || strings.Count(text, "bytes are left out here") != 1 {
		t.Errorf("%s of %d bytes: %q … %q", e.Section, len(text), text[:50], text[len(text)-50:])
	}
	if last := LastOutput(got, 3); !strings.HasSuffix(last, "last") {
		t.Errorf("%q", last)
	}
	hostile := &endless{text: mark("start", "chat_reply") + mark("end", "chat_reply") + strings.Repeat("y", 3000) + "section_", left: 64 << 20}
	if got, _, err := condense(hostile); err != nil || len(got) > keptInAll+mostMarks*longestMark {
		t.Errorf("%d bytes are kept, %v", len(got), err)
	}
}

// TestBoundedShowsNoHalves: a value that a gap cuts in two cannot be known any more, so what stands beside gaps is dropped.
func TestBoundedShowsNoHalves(t *testing.T) {
	const secret = "half-of-a-value-that-is-hidden"
	fill := func(n int) []byte { return bytes.Repeat([]byte("0123456789\n"), n/11) }
	log := bytes.Join([][]byte{[]byte(mark("start", "chat_reply") + "\n"), fill(keptOfText - 15), []byte(secret), fill(4 << 20), []byte(mark("end", "chat_reply"))}, nil)
	got, cut, err := condense(bytes.NewReader(log))
	if err != nil || !cut {
		t.Fatal(cut, err)
	}
	if !bytes.Contains(got, []byte("half-")) || bytes.Contains(got, []byte(secret)) {
		t.Fatal("the gap does not cut the value")
	}
	if text := bounded(Extract(got, false).Text); strings.Contains(text, "half-") || len(text) < keptOfText {
		t.Errorf("%d bytes, with half of the value: %v", len(text), strings.Contains(text, "half-"))
	}
}

// TestCondenseHidesWhatIsPrivate: beyond the markers that count, what is for the asker alone is left out, and what follows it is not.
func TestCondenseHidesWhatIsPrivate(t *testing.T) {
	private := func(text string) string {
		return mark("start", "chat_reply_private") + text + mark("end", "chat_reply_private")
	}
	many := strings.Repeat(mark("start", "chat_reply")+"\nx"+mark("end", "chat_reply"), mostMarks/2-1)
	for name, log := range map[string]string{
		"behind":  many + mark("start", "chat_reply") + mark("end", "chat_reply") + private("hunter2") + "shown" + private("hunter2"),
		"across":  many + mark("start", "chat_reply") + private("hunter2") + "shown" + private("hunter2"),
		"large":   many + mark("start", "chat_reply") + mark("end", "chat_reply") + "shown" + strings.Repeat("public\n", 600_000) + private(strings.Repeat("hunter2\n", 600_000)),
		"unended": many + mark("start", "chat_reply") + mark("end", "chat_reply") + "shown" + mark("start", "chat_reply_private") + "hunter2" + mark("end", "chat_reply") + "hunter2",
	} {
		got, _, err := condense(strings.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		visible := string(public(got, false))
		if strings.Contains(visible, "hunter2") || !strings.Contains(visible, "shown") {
			t.Errorf("%s: what everybody sees ends with %q", name, visible[max(0, len(visible)-300):])
		}
	}
}
