package ci

import (
	"testing"

	"signalbox/ci/variable"
)

// TestHiddenValuesOfWhichOneBeginsAnother are hidden whole, whichever was defined first.
func TestHiddenValuesOfWhichOneBeginsAnother(t *testing.T) {
	for _, values := range [][]string{{"password", "password-of-production"}, {"password-of-production", "password"}} {
		f := &files{}
		for _, v := range values {
			f.vars = append(f.vars, variable.Variable{Key: "K" + v, Value: v, Masked: true})
		}
		if got := f.hide("`password-of-production.yml` and `password`"); got != "`[MASKED].yml` and `[MASKED]`" {
			t.Errorf("%v: %s", values, got)
		}
	}
}
