package process

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	s "signalbox/models/enum"
)

var update = flag.Bool("update", false, "write the state machine into docs/architecture.md")

// TestTheDocumentationShowsTheStateMachine keeps the table in docs/architecture.md true.
func TestTheDocumentationShowsTheStateMachine(t *testing.T) {
	const file, begin, end = "../../docs/architecture.md", "<!-- transitions -->\n", "<!-- end -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(raw), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("the marks of the table are gone")
	}
	from := map[string][]string{}
	var order []string
	for _, tr := range Transitions() {
		key := fmt.Sprintf("%s\x00%s", tr.Event, tr.To)
		if from[key] == nil {
			order = append(order, key)
		}
		from[key] = append(from[key], string(tr.From))
	}
	table := "| event | from | to |\n| --- | --- | --- |\n"
	for _, key := range order {
		event, to, _ := strings.Cut(key, "\x00")
		table += fmt.Sprintf("| %s | %s | %s |\n", event, strings.Join(from[key], ", "), s.Status(to))
	}
	want := head + begin + table + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(raw) {
		t.Error("docs/architecture.md differs from the state machine; run: go test ./ci/process -run Documentation -update")
	}
}
