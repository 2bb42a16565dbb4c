package config

import (
	"sort"
	"strings"
)

// maxCandidates bounds the names that are compared.
const maxCandidates = 1000

// Nearest lists the names closest to a word, the closest first: those with few different letters, or that
// hold the word.
func Nearest(word string, names []string, limit int) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	w := strings.ToLower(word)
	most := max(1, len(w)/3)
	for _, n := range names[:min(len(names), maxCandidates)] {
		lower := strings.ToLower(n)
		d := most + 1
		switch {
		case len(w) > 2 && strings.Contains(lower, w):
			d = 1
			if lower == w {
				d = 0
			}
		case len(w) <= 100 && len(lower)-len(w) <= 4*most && len(w)-len(lower) <= 4*most: // letters have up to four bytes
			d = distance(w, lower)
		}
		if d <= most {
			found = append(found, candidate{n, d})
		}
	}
	sort.SliceStable(found, func(i, j int) bool {
		if found[i].distance != found[j].distance {
			return found[i].distance < found[j].distance
		}
		return found[i].name < found[j].name
	})
	var out []string
	for _, c := range found[:min(limit, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// distance counts the letters to change, insert, delete or swap to get from a to b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	x, y = x[:min(len(x), 100)], y[:min(len(y), 100)]
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
