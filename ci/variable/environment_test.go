package variable

import "testing"

func TestEnvironmentSlug(t *testing.T) {
	for name, want := range map[string]string{
		"production":                            "production",
		"staging-12345678901234":                "staging-12345678901234",
		"review/fix":                            "review-fix-",
		"Production":                            "production-",
		"1-foo":                                 "env-1-foo-",
		"a-very-long-name-for-this-environment": "a-very-long-name-",
		"x--y":                                  "x-y-",
	} {
		got := EnvironmentSlug(name)
		if want[len(want)-1] != '-' && got != want || want[len(want)-1] == '-' && (len(got) != len(want)+6 || got[:len(want)] != want) || len(got) > 24 {
			t.Errorf("%s: %s, want %s…", name, got, want)
		}
	}
	if a, b := EnvironmentSlug("review/a"), EnvironmentSlug("review-a"); a == b {
		t.Errorf("two names have the slug %s", a)
	}
}

func TestGuessTier(t *testing.T) {
	for name, want := range map[string]string{
		"production": "production", "live": "production", "prd-eu": "production", "staging": "staging", "stg": "staging", "pre-prod": "staging",
		"review/x": "development", "dev": "development", "qa": "testing", "integration": "testing", "canary": "other", "NON-PROD": "staging",
	} {
		if got := GuessTier(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestScopeMatches(t *testing.T) {
	for _, c := range []struct {
		scope, environment string
		want               bool
	}{
		{"*", "", true},
		{"*", "prod", true},
		{"prod", "prod", true},
		{"prod", "", false},
		{"prod", "production", false},
		{"review/*", "review/a/b", true},
		{"review/*", "review", false},
		{"*-eu", "prod-eu", true},
		{"r_v/*", "rev/x", false},
		{"a%", "ab", false},
		{"a.c", "abc", false},
		{"a*c*e", "abcde", true},
	} {
		if got, _ := ScopeMatches(c.scope, c.environment); got != c.want {
			t.Errorf("%s matches %s: %v", c.scope, c.environment, got)
		}
	}
}
