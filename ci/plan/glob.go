package plan

import "strings"

// fnmatch says whether a path matches a pattern as Ruby's File.fnmatch does with the flags PATHNAME, DOTMATCH and
// EXTGLOB: * and ? stay within a part of the path, `**/` stands for any folders, and a `**` that no slash follows
// is just a * (facts: ci-yaml 11.1). Cost: the length of the one times that of the other, for each alternative.
func fnmatch(pattern, path string) bool {
	parts := strings.Split(path, "/")
	for _, p := range alternatives(pattern) {
		if matchParts(p, parts) {
			return true
		}
	}
	return false
}

// alternatives are the patterns, in their parts, that one with braces stands for.
func alternatives(pattern string) [][]string {
	var out [][]string
	for _, p := range braces(pattern, 0) {
		out = append(out, strings.Split(p, "/"))
	}
	return out
}

// matchParts compares part by part. Going back to the last `**` is enough: what an earlier one could take over,
// the last one can.
func matchParts(pattern, path []string) bool {
	p, at := 0, 0
	star, from := -1, 0
	for at < len(path) {
		switch {
		case p < len(pattern)-1 && pattern[p] == "**":
			star, from = p, at
			p++
		case p < len(pattern) && matchPart([]rune(pattern[p]), []rune(path[at])):
			p++
			at++
		case star >= 0:
			from++
			p, at = star+1, from
		default:
			return false
		}
	}
	return p == len(pattern)
}

// matchPart compares one part: * any text, ? a character, [ab] one of them, a backslash takes the next as it is.
func matchPart(pattern, text []rune) bool {
	p, at := 0, 0
	star, from := -1, 0
	for at < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, at
			p++
			continue
		}
		if n := matchOne(pattern[p:], text[at]); n > 0 {
			p += n
			at++
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, at = star+1, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne says how much of the pattern stands for a character; 0 if it does not.
func matchOne(pattern []rune, r rune) int {
	if len(pattern) == 0 {
		return 0
	}
	switch pattern[0] {
	case '?':
		return 1
	case '[':
		return matchClass(pattern, r)
	case '\\':
		if len(pattern) > 1 {
			if pattern[1] == r {
				return 2
			}
			return 0
		}
	}
	if pattern[0] == r {
		return 1
	}
	return 0
}

// matchClass reads [abc], [a-z] and [^a]; one that does not end matches nothing.
func matchClass(pattern []rune, r rune) int {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '^' || pattern[i] == '!')
	if negated {
		i++
	}
	found := false
	for first := true; ; first = false {
		if i >= len(pattern) {
			return 0
		}
		if pattern[i] == ']' && !first {
			break
		}
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		low, high := pattern[i], pattern[i]
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		found = found || low <= r && r <= high
		i++
	}
	if found == negated {
		return 0
	}
	return i + 1
}

const maxBraces = 1000

// braces lists what the alternatives of a pattern stand for. More than any pattern should hold are left as they are.
func braces(pattern string, depth int) []string {
	open, end, commas := -1, -1, []int{}
	level := 0
	for i := 0; i < len(pattern) && end < 0; i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '{':
			if level++; level == 1 {
				open, commas = i, nil
			}
		case ',':
			if level == 1 {
				commas = append(commas, i)
			}
		case '}':
			if level > 0 {
				if level--; level == 0 {
					end = i
				}
			}
		}
	}
	if end < 0 || depth > 10 {
		return []string{pattern}
	}
	var out []string
	from := open + 1
	for _, to := range append(commas, end) {
		for _, p := range braces(pattern[:open]+pattern[from:to]+pattern[end+1:], depth+1) {
			if len(out) == maxBraces {
				return out
			}
			out = append(out, p)
		}
		from = to + 1
	}
	return out
}

// maxComparisons is where patterns are not compared with paths any more, and are taken to match.
const maxComparisons = 50_000

// maxCompared is the same for all that the braces of patterns stand for.
const maxCompared = 20 * maxComparisons

// anyMatch says whether one of the patterns matches one of the paths.
func anyMatch(patterns, paths []string) bool {
	if len(patterns)*len(paths) > maxComparisons {
		return true
	}
	var all [][]string
	for _, p := range patterns {
		if all = append(all, alternatives(p)...); len(all)*len(paths) > maxCompared {
			return true
		}
	}
	for _, path := range paths {
		parts := strings.Split(path, "/")
		for _, p := range all {
			if matchParts(p, parts) {
				return true
			}
		}
	}
	return false
}

// anyExists says whether a file of a commit matches one of the patterns. Names and `**/*.ending` are looked up
// without comparing each path with them.
func anyExists(patterns, paths []string) bool {
	var rest []string
	for _, p := range patterns {
		p = strings.TrimPrefix(p, "./")
		switch ending, any := strings.CutPrefix(p, "**/*"); {
		case !strings.ContainsAny(p, "*?[{"):
			for _, path := range paths {
				if path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
					return true
				}
			}
		case any && !strings.ContainsAny(ending, "*?[{/"):
			for _, path := range paths {
				if strings.HasSuffix(path, ending) {
					return true
				}
			}
		default:
			rest = append(rest, p)
		}
	}
	return len(rest) > 0 && anyMatch(rest, paths)
}
