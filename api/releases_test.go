package api

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTheCommitOfARelease is null where it is gone, and not there at all for who may not read code.
func TestTheCommitOfARelease(t *testing.T) {
	for _, c := range []struct {
		entity releaseEntity
		want   bool
	}{{releaseEntity{Commit: (*commitEntity)(nil)}, true}, {releaseEntity{}, false}} {
		text, err := json.Marshal(c.entity)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), `"commit":null`); got != c.want {
			t.Errorf("%s", text)
		}
	}
}
