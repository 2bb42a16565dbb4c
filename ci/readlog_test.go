package ci

import (
	"testing"

	"signalbox/ci/variable"
)

// TestVariablesThatShowAll: both of the runner's debug modes write every variable into the log, whoever set them.
func TestVariablesThatShowAll(t *testing.T) {
	for _, key := range []string{"CI_DEBUG_TRACE", "CI_DEBUG_SERVICES"} {
		for value, want := range map[string]bool{"true": true, "1": true, "TRUE": true, "$ON": true, "false": false, "0": false, "": false} {
			vars := variable.Collection{{Key: "ON", Value: "true"}, {Key: key, Value: value}}
			if got := debugMode(vars); got != want {
				t.Errorf("%s=%q: %v, want %v", key, value, got, want)
			}
		}
	}
	if debugMode(variable.Collection{{Key: "CI_DEBUG", Value: "true"}}) {
		t.Error("another variable counts")
	}
}
