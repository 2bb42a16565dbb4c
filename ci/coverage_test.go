package ci

import (
	"regexp"
	"strings"
	"testing"
)

// TestCoverageOfLogs: the last line that matches counts, its last match, and of that the last group.
func TestCoverageOfLogs(t *testing.T) {
	long := strings.Repeat("x", 3*coverageBlock)
	for _, tc := range []struct {
		log, pattern string
		want         float64 // -1: none
	}{
		{"Total: 12.5%\nTotal: 80%\nbye\n", `Total: \d+(?:\.\d+)?%`, 80},
		{"Total: 12.5% Total: 13%", `Total: (\d+(?:\.\d+)?)%`, 13},
		{"coverage: 71.4% of statements\r\n", `coverage: \d+.\d+% of statements`, 71.4},
		{"coverage: 71.4%\r\nbye\r\n", `coverage: \d+.\d+%$`, 71.4},
		{"coverage: 71.4%\r", `^coverage: \d+.\d+%$`, 71.4},
		{"2026-11-24T10:00:00.000000Z 00O Total: 9%\r\n", `^Total: \d+%$`, 9},
		{"lines 5 of 10, 50%\n", `lines (\d+) of (\d+), (\d+)%`, 50},
		{"Total: 42%\n" + long + "\n" + strings.Repeat("noise\n", 50_000), `Total: \d+%`, 42},
		{long + " Total: 43%" + long, `Total: \d+%`, 43},
		{"nothing", `Total: \d+%`, -1},
		{"Total: none%", `Total: .*%`, -1},
		{"", `x`, -1},
		{"2026-11-24T10:00:00.000000Z 00O Total: 9%\n2026-11-24T10:00:00.000000Z 00O ^\n", `^Total: \d+`, 9},
		{"2026-11-24T10:00:00.000000Z 00O Total: 9%\n", `^2026`, -1},
	} {
		got, err := lastCoverage(strings.NewReader(tc.log), int64(len(tc.log)), regexp.MustCompile(tc.pattern))
		switch {
		case err != nil:
			t.Errorf("%.60q: %v", tc.log, err)
		case tc.want < 0 && got != nil, tc.want >= 0 && (got == nil || *got != tc.want):
			t.Errorf("%.60q by %s: %v, want %v", tc.log, tc.pattern, got, tc.want)
		}
	}
}
