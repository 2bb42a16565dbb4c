package server

import (
	"slices"
	"testing"

	"signalbox/ci"
	"signalbox/ci/config"
)

// TestCacheKeysEndAlike: what a fallback names is looked for under the suffix that jobs leave it under.
func TestCacheKeysEndAlike(t *testing.T) {
	for name, c := range map[string]struct {
		suffix string
		cache  config.Cache
		want   []string // key, fallback keys
	}{
		"protected":               {"protected", config.Cache{Key: "k", FallbackKeys: []string{"main", "default"}}, []string{"k-protected", "main-protected", "default-protected"}},
		"not protected":           {"non_protected", config.Cache{Key: "k", FallbackKeys: []string{"main"}}, []string{"k-non_protected", "main-non_protected"}},
		"unprotected":             {"protected", config.Cache{Key: "k", Unprotect: true, FallbackKeys: []string{"main"}}, []string{"k-non_protected", "main-non_protected"}},
		"shared":                  {"", config.Cache{Key: "k", FallbackKeys: []string{"main"}}, []string{"k", "main"}},
		"shared, and unprotected": {"", config.Cache{Key: "k", Unprotect: true}, []string{"k"}},
		"of files":                {"protected", config.Cache{Files: []string{"x"}, FallbackKeys: []string{"f"}}, []string{"default-protected", "f-protected"}},
	} {
		got := cache(c.cache, &ci.Offer{CacheSuffix: c.suffix})
		if keys := append([]string{got.Key}, got.FallbackKeys...); !slices.Equal(keys, c.want) {
			t.Errorf("%s: %q, want %q", name, keys, c.want)
		}
	}
}
