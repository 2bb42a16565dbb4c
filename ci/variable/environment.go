package variable

import (
	"crypto/sha256"
	"math/big"
	"regexp"
	"strings"
)

var (
	notSlug      = regexp.MustCompile(`[^a-z0-9]`)
	dashes       = regexp.MustCompile(`-+`)
	environments = regexp.MustCompile(`^[A-Za-z0-9_\-/${}. ]{1,255}$`)
)

// ValidEnvironment says whether an environment may have a name, once its variables are replaced.
func ValidEnvironment(name string) bool {
	return environments.MatchString(name) && !strings.HasPrefix(name, "/") && !strings.HasSuffix(name, "/") && strings.TrimSpace(name) != ""
}

// EnvironmentSlug is a name for use in host names: at most 24 lower case letters, digits and dashes, from a letter on.
// A name that is no slug gets a suffix made of its hash, so that different names keep different slugs, as on GitLab.
func EnvironmentSlug(name string) string {
	slug := notSlug.ReplaceAllString(strings.ToLower(name), "-")
	if slug == "" || slug[0] < 'a' || slug[0] > 'z' {
		slug = "env-" + slug
	}
	slug = dashes.ReplaceAllString(slug, "-")
	if len(slug) <= 24 && slug == name {
		return strings.TrimSuffix(slug, "-")
	}
	slug = slug[:min(17, len(slug))]
	if !strings.HasSuffix(slug, "-") {
		slug += "-"
	}
	sum := sha256.Sum256([]byte(name))
	digits := new(big.Int).SetBytes(sum[:]).Text(36)
	return slug + digits[max(0, len(digits)-6):]
}

// Tiers are the tiers of environments.
var Tiers = []string{"production", "staging", "testing", "development", "other"}

var tierNames = []struct {
	tier string
	name *regexp.Regexp
}{
	{"development", regexp.MustCompile(`(?i)dev|review|trunk`)},
	{"testing", regexp.MustCompile(`(?i)test|tst|int|ac(?:ce|)pt|qa|qc|control|quality`)},
	{"staging", regexp.MustCompile(`(?i)st(?:a|)g|mod(?:e|)l|pre|demo|non`)},
	{"production", regexp.MustCompile(`(?i)pr(?:o|)d|live`)},
}

// GuessTier is the tier of an environment that says none.
func GuessTier(name string) string {
	for _, t := range tierNames {
		if t.name.MatchString(name) {
			return t.tier
		}
	}
	return "other"
}

// ScopeMatches says whether an environment scope of a variable holds for an environment; "" stands for a job without one,
// which only `*` matches. weight orders scopes of the same key: what is more exact counts more.
func ScopeMatches(scope, environment string) (ok bool, weight int) {
	switch {
	case scope == "*":
		return true, 0
	case environment == "":
		return false, 0
	case scope == environment:
		return true, 2
	case !strings.Contains(scope, "*"):
		return false, 0
	}
	parts := strings.Split(scope, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	pattern, err := regexp.Compile(`(?s)^` + strings.Join(parts, ".*") + `$`)
	return err == nil && pattern.MatchString(environment), 1
}
