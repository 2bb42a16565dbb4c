package config

import (
	"net/url"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

const maxCaches = 4

func (l *loader) caches(v *yaml.Node, at string) []Cache {
	if v.Kind != yaml.List && v.Kind != yaml.Map {
		l.bad(v, at+" config", "can only be a hash or an array")
		return nil
	}
	caches := flat(v) // a list of anchors, each a list, is one list
	if v.Kind == yaml.Map {
		caches = []*yaml.Node{v}
	}
	sound := len(v.Items) <= maxCaches
	if !sound {
		l.bad(v, at+" config", "no more than %d caches can be created", maxCaches)
	}
	out := []Cache{}
	for _, c := range caches {
		if c.Kind != yaml.Map && c.Kind != yaml.Null {
			l.inside(sound, func() { l.bad(c, at+" config", "should be a hash") })
			continue
		}
		if len(c.Pairs) > 0 {
			out = append(out, l.cache(c, at))
		}
	}
	return out
}

func (l *loader) cache(v *yaml.Node, at string) Cache {
	mark := l.mark()
	l.unknownKeys(v, at+" config", "key", "paths", "untracked", "unprotect", "policy", "when", "fallback_keys")
	c := Cache{Key: "default", Policy: "pull-push"}
	if p := v.Get("policy"); p != nil && p.Kind != yaml.Null {
		c.Policy = l.text(p, at+" policy")
		if !blank(p) && !slices.ContainsFunc([]string{"push", "pull", "$"}, func(word string) bool { return strings.Contains(c.Policy, word) }) {
			l.bad(p, at+" policy", "should be a variable or one of: pull-push, push, pull")
		}
		if blank(p) {
			c.Policy = "pull-push"
		}
	}
	c.When = l.oneOf(v.Get("when"), at+" when", "on_success", "on_success", "on_failure", "always")
	if keys := v.Get("fallback_keys"); keys != nil && len(keys.Items) > maxFallbackKeys {
		l.bad(keys, at+" fallback keys", "has to many entries (maximum %d)", maxFallbackKeys)
	}
	l.inside(l.sound(mark), func() {
		if k := v.Get("key"); k != nil && k.Kind != yaml.Null {
			l.cacheKey(&c, k, at+":key")
		}
		c.Unprotect = l.boolean(v.Get("unprotect"), at+":unprotect config")
		c.Untracked = l.boolean(v.Get("untracked"), at+":untracked config")
		c.Paths = l.optionalStrings(v.Get("paths"), at+":paths config")
		c.FallbackKeys = l.optionalStrings(v.Get("fallback_keys"), at+":fallback_keys config")
	})
	return c
}

func (l *loader) cacheKey(c *Cache, k *yaml.Node, at string) {
	switch {
	case k.IsText():
		l.cacheName(k, at+" config")
		c.Key = k.Text
	case k.Kind == yaml.Map:
		l.unknownKeys(k, at+" config", "files", "files_commits", "prefix")
		files, name := k.Get("files"), "files"
		if commits := k.Get("files_commits"); commits != nil && files == nil {
			files, name, c.ByCommit = commits, "files_commits", true
		}
		if files == nil || k.Get("files") != nil && k.Get("files_commits") != nil {
			l.bad(k, at+" config", "must use exactly one of these keys: files, files_commits")
			return
		}
		list, ok := l.strings(files, at+":"+name+" config", "should be an array of strings")
		switch {
		case ok && len(list) == 0:
			l.bad(files, at+":"+name+" config", "requires at least 1 item")
		case len(list) > 2:
			l.bad(files, at+":"+name+" config", "has too many items (maximum is 2)")
		}
		for _, name := range list {
			c.Files = append(c.Files, strings.TrimLeft(name, "/"))
		}
		if p := filled(k.Get("prefix")); p != nil && p.IsText() {
			l.cacheName(p, at+":prefix config")
			c.Prefix = p.Text
		} else if p != nil {
			l.bad(p, at+":prefix config", "should be a string or symbol")
		}
	default:
		l.add(k, at+" should be a hash, a string or a symbol")
	}
}

// cacheName checks a name of a cache, as it is and as an address would have it.
func (l *loader) cacheName(k *yaml.Node, at string) {
	plain, err := url.PathUnescape(k.Text)
	if err != nil {
		plain = k.Text
	}
	if strings.Contains(plain, "/") {
		l.bad(k, at, `cannot contain the "/" character`)
	}
	if plain == "." || plain == ".." {
		l.bad(k, at, `cannot be "." or ".."`)
	}
}

const maxFallbackKeys = 5
