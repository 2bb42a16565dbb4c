package web

import (
	"fmt"
	"strings"
	"testing"
)

// TestAddressesWithoutTheirDash stand for pages that there are, and for none else.
func TestAddressesWithoutTheirDash(t *testing.T) {
	s := &Server{}
	for path, want := range map[string]string{
		"team/app/pipelines":                   "[{team/app pipelines}]",
		"team/sub/app/pipelines/7":             "[{team/sub/app pipelines/7}]",
		"team/app/builds/7/raw":                "[{team/app jobs/7/raw} {team/app/builds/7 raw}]",
		"team/app/builds/7/artifacts/browse/a": "[{team/app jobs/7/artifacts/browse/a}]",
		"team/app/raw/main/a/b.txt":            "[{team/app raw/main/a/b.txt}]",
		"team/app/tree/pipelines":              "[{team/app tree/pipelines} {team/app/tree pipelines}]",
		"team/pipelines/app/commit/abc":        "[{team/pipelines/app commit/abc}]",
		"team/pipelines":                       "[]", // a project may have this name
		"team/app/jobs/7":                      "[]", // never was there
		"team/app/pipelines/7/cancel":          "[]", // takes a form alone
		"team/app/issues/1":                    "[]",
		"team/app/edit":                        "[]",
		"a/b" + strings.Repeat("/tags", 100):   "21 at most",
	} {
		got := s.legacyAddresses(path)
		if want == "21 at most" {
			if len(got) > 21 {
				t.Errorf("%d addresses are tried", len(got))
			}
		} else if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
}
