package process

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	s "signalbox/models/enum"
)

var update = flag.Bool("update", false, "write the state machine into the documentation")

// written keeps what stands between two marks of a file true.
func written(t *testing.T, file, begin, content string) {
	t.Helper()
	const end = "<!-- end -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(raw), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("the marks %s are gone from %s", strings.TrimSpace(begin), file)
	}
	want := head + begin + content + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(raw) {
		t.Errorf("%s differs from the state machine; run: go test ./ci/process -run Documentation -update", file)
	}
}

// diagram draws moves, those of one event between the same places as one arrow.
func diagram(moves []Transition) string {
	var arrows []string
	labels := map[string][]string{}
	for _, m := range moves {
		key := string(m.From) + " --> " + string(m.To)
		if labels[key] == nil {
			arrows = append(arrows, key)
		}
		labels[key] = append(labels[key], string(m.Event))
	}
	out := "```mermaid\nstateDiagram-v2\n"
	if len(moves) > 20 {
		out += "    [*] --> created\n"
	}
	for _, a := range arrows {
		out += "    " + a + ": " + strings.Join(labels[a], ", ") + "\n"
	}
	return out + "```\n"
}

// TestTheDocumentationDrawsTheStateMachine keeps the diagrams in docs/pipelines.md true.
func TestTheDocumentationDrawsTheStateMachine(t *testing.T) {
	written(t, "../../docs/pipelines.md", "<!-- job -->\n", diagram(Transitions()))
	written(t, "../../docs/pipelines.md", "<!-- bridge -->\n", diagram(BridgeTransitions()))
}

// TestTheDocumentationShowsTheStateMachine keeps the table in docs/architecture.md true.
func TestTheDocumentationShowsTheStateMachine(t *testing.T) {
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
	written(t, "../../docs/architecture.md", "<!-- transitions -->\n", table)
}
