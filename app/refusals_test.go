package app

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// refusals are what the API answers to those whom it does not let in, by address: each answer once, with the roles that get it in
// the order of doorRoles. Programs read these answers, so they stay as they are, byte by byte.
type refusals map[string][]refusal

type refusal struct {
	answer string
	roles  []string
}

// refusalsFile holds them, a line for each answer: address, roles, status and body.
const refusalsFile = "testdata/refusals.txt"

func (all refusals) note(t *testing.T, d door, role string, res *http.Response) {
	t.Helper()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	noError(t, err)
	answer := fmt.Sprintf("%d %s", res.StatusCode, body)
	list := all[d.String()]
	for i := range list {
		if list[i].answer == answer {
			list[i].roles = append(list[i].roles, role)
			return
		}
	}
	all[d.String()] = append(list, refusal{answer, []string{role}})
}

func (all refusals) String() string {
	var b strings.Builder
	for _, address := range slices.Sorted(maps.Keys(all)) {
		for _, r := range all[address] {
			fmt.Fprintf(&b, "%s  %s  %s\n", address, strings.Join(r.roles, ","), r.answer)
		}
	}
	return b.String()
}

// compare holds what was answered against the file.
func (all refusals) compare(t *testing.T) {
	t.Helper()
	got := all.String()
	if *update {
		noError(t, os.WriteFile(refusalsFile, []byte(got), 0o644))
	}
	raw, err := os.ReadFile(refusalsFile)
	noError(t, err)
	want := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		want[line] = true
	}
	for line := range strings.Lines(got) {
		if !want[line] {
			t.Errorf("not in %s: %s", refusalsFile, line)
		}
		delete(want, line)
	}
	for line := range want {
		t.Errorf("only in %s: %s", refusalsFile, line)
	}
}
