package shellrunner

import (
	"runtime/debug"
	"strings"
)

// Revision is the commit that the program was built of, in short; HEAD if that is not known.
func Revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 8 {
				return s.Value[:8]
			}
		}
	}
	return "HEAD"
}

// shortLength is how much of its token a runner tells jobs, to name things apart: too little to act as the runner.
const shortLength = 8

func shortToken(token string) string {
	token = strings.TrimPrefix(token, "glrt-")
	return token[:min(len(token), shortLength)]
}
