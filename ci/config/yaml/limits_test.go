package yaml

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// hostile are texts that cost a careless parser the square of their size, or a stack as deep as they are long.
var hostile = map[string]func(n int) string{
	"brackets":          func(n int) string { return "job: {script: " + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" },
	"closed brackets":   func(n int) string { return "job: [" + strings.Repeat("[x],", n/4) + "]" },
	"braces":            func(n int) string { return "a: " + strings.Repeat("{a: ", n/4) },
	"mixed flow":        func(n int) string { return strings.Repeat("[a: {b: ", n/8) },
	"lines of brackets": func(n int) string { return "a:\n" + strings.Repeat(" [\n", n/3) },
	"dashes":            func(n int) string { return strings.Repeat("- ", n/2) },
	"keys":              func(n int) string { return strings.Repeat("? ", n/2) },
	"keys in flow":      func(n int) string { return "[" + strings.Repeat("? ", n/2) },
	"dash and key":      func(n int) string { return strings.Repeat("- ? ", n/4) },
	"values":            func(n int) string { return strings.Repeat(": ", n/2) },
	"indents": func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	},
	"anchors":       func(n int) string { return numbered(n, "- &a%d x\n") },
	"nested anchor": func(n int) string { return "a: " + strings.Repeat("&x ", n/3) },
	"aliases":       func(n int) string { return "- &a [x]\n" + strings.Repeat("- *a\n", n/5) },
	"tags":          func(n int) string { return "a: " + strings.Repeat("!x ", n/3) },
	"tagged items":  func(n int) string { return strings.Repeat("- !x y\n", n/7) },
	"directives":    func(n int) string { return numbered(n, "%%TAG !a%d! tag:x\n") + "---\na" },
	"merges":        func(n int) string { return "x: &x {a: 1}\ny:\n" + strings.Repeat("  <<: *x\n", n/9) },
	"items in flow": func(n int) string { return "[" + strings.Repeat("a,", n/2) + "]" },
	"commas":        func(n int) string { return "[" + strings.Repeat(",", n) },
	"keys of one":   func(n int) string { return numbered(n, "k%d: v\n") },
	"same keys":     func(n int) string { return strings.Repeat("a:\n", n/3) },
	"plain lines":   func(n int) string { return strings.Repeat("a\n", n/2) },
	"plain in flow": func(n int) string { return "[" + strings.Repeat("a\n", n/2) + "]" },
	"quoted lines":  func(n int) string { return `a: "` + strings.Repeat("x\n ", n/3) + `"` },
	"quotes":        func(n int) string { return strings.Repeat(`"a" `, n/4) },
	"escapes":       func(n int) string { return `a: "` + strings.Repeat("\\\n", n/2) },
	"block":         func(n int) string { return "a: |\n" + strings.Repeat(" x\n", n/3) },
	"comments":      func(n int) string { return strings.Repeat("a: 1 # c\n # d\n\n", n/15) },
	"documents":     func(n int) string { return strings.Repeat("---\na\n", n/6) },
	"blank":         func(n int) string { return "a: b" + strings.Repeat("\n", n) + " c" },
	"spaces":        func(n int) string { return "a:" + strings.Repeat(" ", n) + "b" },
	"one word":      func(n int) string { return "a: " + strings.Repeat("x", n) },
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestCostIsLinear reads texts of every shape at two sizes: four times the text may not cost much more than four times the
// memory. The time is a net for what costs no memory.
func TestCostIsLinear(t *testing.T) {
	const small = 96 << 10
	for name, shape := range hostile {
		memory := func(n int) uint64 {
			var before, after runtime.MemStats
			text := []byte(shape(n))
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := Parse(text, nil)
			took := time.Since(began)
			if took > 30*time.Second {
				t.Errorf("%s of %d bytes took %v (%v)", name, n, took, err)
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		if few, many := memory(small), memory(4*small); many > 6*few+32<<20 {
			t.Errorf("%s: %d bytes cost %d MB, four times as many %d MB", name, small, few>>20, many>>20)
		}
	}
}

func TestDepthIsRefusedInEveryShape(t *testing.T) {
	for _, name := range []string{"brackets", "braces", "mixed flow", "lines of brackets", "dashes", "keys", "dash and key", "values", "indents"} {
		for _, n := range []int{8000, 200_000} {
			if _, err := Parse([]byte(hostile[name](n)), nil); err == nil || !strings.Contains(err.Error(), tooBig) {
				t.Errorf("%s of %d bytes: %v", name, n, err)
			}
		}
	}
	nested := func(depth int) string { return strings.Repeat("[", depth) + "x" + strings.Repeat("]", depth) }
	if _, err := Parse([]byte(nested(MaxDepth)), nil); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		nested(MaxDepth + 1),
		strings.Repeat("- ", 60) + nested(60), // both styles together
		"a: &a " + nested(60) + "\nb: " + strings.Repeat("[", 60) + "*a" + strings.Repeat("]", 60),
	} {
		if _, err := Parse([]byte(text), nil); err == nil || !strings.Contains(err.Error(), tooBig) {
			t.Errorf("%.30s…: %v", text, err)
		}
	}
}

// TestOnlyStructureCounts reads what looks deep and is text.
func TestOnlyStructureCounts(t *testing.T) {
	many := strings.Repeat("[{", 5000)
	for _, text := range []string{
		"a: '" + many + "'", `a: "` + many + `"`, "a: b # " + many, "# " + many + "\na: b", "a: |\n  " + many, "a: >\n  x\n  " + many,
		"a: x " + many, "a:\n  x\n  " + many, "a: |\n  " + strings.Repeat("- ", 5000), "a: '" + strings.Repeat("? ", 5000) + "'",
		"a: |\n" + strings.Repeat(" ", 600) + "x", strings.Repeat("a: [x] # [\n", 5000),
	} {
		if _, err := Parse([]byte(text), nil); err != nil {
			t.Errorf("%.30s…: %v", text, err)
		}
	}
}

func TestReadingEndsWhenItIsStopped(t *testing.T) {
	gone := errors.New("nobody waits any more")
	for _, name := range []string{"keys of one", "items in flow", "aliases", "block"} {
		for _, after := range []int{0, 5} {
			asked := 0
			_, err := Parse([]byte(hostile[name](512<<10)), func() error {
				if asked++; asked > after {
					return gone
				}
				return nil
			})
			if !errors.Is(err, gone) || asked != after+1 {
				t.Errorf("%s: asked %d times, %v", name, asked, err)
			}
		}
	}
}

// TestDirectivesAreBounded after every end of a line that YAML knows.
func TestDirectivesAreBounded(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029"} {
		text := numbered(8<<10, end+"%%TAG !a%d! x") + end + "---\na"
		if _, err := Parse([]byte(text), nil); err == nil || !strings.Contains(err.Error(), "%TAG") {
			t.Errorf("after %q: %v", end, err)
		}
	}
}
