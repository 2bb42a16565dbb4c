// Package variable holds CI/CD variables: ordered collections, their precedence and expansion, and the
// predefined variables of a pipeline and a job. It follows the fact sheet pipeline-semantics, section 3,
// and ci-yaml, section 14. It reads nothing from anywhere: facts come in, collections go out.
package variable

import (
	"regexp"
	"slices"
	"strings"
)

// Variable is one variable as a job sees it.
type Variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	Masked bool   `json:"masked"`
	File   bool   `json:"file,omitempty"`
	Raw    bool   `json:"raw,omitempty"`
}

// Collection is a list in the order of precedence: of two with the same key the later one wins.
type Collection []Variable

// Add appends a public variable.
func (c *Collection) Add(key, value string) {
	*c = append(*c, Variable{Key: key, Value: value, Public: true})
}

// AddSecret appends a variable that runners mask in logs.
func (c *Collection) AddSecret(key, value string) {
	*c = append(*c, Variable{Key: key, Value: value, Masked: true})
}

// Get finds the value that wins.
func (c Collection) Get(key string) (string, bool) {
	for i := len(c) - 1; i >= 0; i-- {
		if c[i].Key == key {
			return c[i].Value, true
		}
	}
	return "", false
}

// Map is the winning value of every key.
func (c Collection) Map() map[string]string {
	out := make(map[string]string, len(c))
	for _, v := range c {
		out[v.Key] = v.Value
	}
	return out
}

// Masked lists the values that must not be shown.
func (c Collection) Masked() []string {
	var out []string
	for _, v := range c {
		if v.Masked && v.Value != "" {
			out = append(out, v.Value)
		}
	}
	return out
}

var key = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// ValidKey says whether a variable that is stored or given to a pipeline may have a name.
func ValidKey(name string) bool { return key.MatchString(name) }

const references = `\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)|%([A-Za-z_][A-Za-z0-9_]*)%`

var (
	reference = regexp.MustCompile(references)
	// escaped sees $$ and %% too, which values of variables keep for the runner and its shell. Other texts know no
	// such escape (facts: ci-yaml 14.3).
	escaped = regexp.MustCompile(`\$\$|%%|` + references)
)

func name(m []string) string { return m[1] + m[2] + m[3] }

// Expand replaces every reference in text by the value of its variable, once: replaced text is not looked
// at again. With keep, references to unknown variables stay as they are; without, they become empty.
func (c Collection) Expand(text string, keep bool) string {
	if !strings.ContainsAny(text, "$%") {
		return text
	}
	return Expand(text, c.Map(), keep)
}

// Expand is Collection.Expand with values that were looked up before.
func Expand(text string, values map[string]string, keep bool) string {
	return replace(reference, text, func(key, whole string) string {
		if v, ok := values[key]; ok {
			return v
		}
		if keep {
			return whole
		}
		return ""
	})
}

// Bounds of what values may make of a text, and of a whole collection, in bytes: references beyond them stay as they are.
const (
	maxExpanded    = 1 << 20
	maxAllExpanded = 16 << 20
)

func replace(pattern *regexp.Regexp, text string, value func(key, whole string) string) string {
	var b strings.Builder
	for {
		m := pattern.FindStringSubmatchIndex(text)
		if m == nil {
			b.WriteString(text)
			return b.String()
		}
		whole := text[m[0]:m[1]]
		b.WriteString(text[:m[0]])
		key := ""
		for g := 1; g <= 3; g++ {
			if m[2*g] >= 0 {
				key = text[m[2*g]:m[2*g+1]]
			}
		}
		written := whole // $$ and %%
		if key != "" {
			written = value(key, whole)
		}
		if len(written) > len(whole) && b.Len()+len(written) > maxExpanded {
			written = whole
		}
		b.WriteString(written)
		text = text[m[1]:]
	}
}

// CycleError says that variables refer to one another in a circle.
type CycleError struct{ Keys []string }

func (e *CycleError) Error() string {
	return `circular variable reference detected: ["` + strings.Join(e.Keys, `", "`) + `"]`
}

// ExpandAll expands the values among themselves, in the order of their references. References to unknown,
// raw and file variables stay: the runner resolves them. The values of raw variables are not looked at. On
// a circle it returns the collection unchanged and a CycleError. Cost: linear in the total size of the values, and of what
// they become, which is bounded.
func (c Collection) ExpandAll() (Collection, error) {
	e := &expander{
		out: append(Collection(nil), c...), state: make([]int, len(c)),
		last: make(map[string]int, len(c)), prev: make([]int, len(c)),
	}
	for i, v := range c {
		e.prev[i] = -1
		if p, ok := e.last[v.Key]; ok {
			e.prev[i] = p
		}
		e.last[v.Key] = i
	}
	for i := range c {
		if err := e.visit(i, nil); err != nil {
			return c, err
		}
	}
	return e.out, nil
}

type expander struct {
	out   Collection
	state []int // 0 new, 1 under way, 2 done
	last  map[string]int
	prev  []int // the earlier variable of the same key
	spent int   // bytes that were put in
}

func (e *expander) visit(i int, path []string) error {
	v := &e.out[i]
	if e.state[i] == 2 || v.Raw || !strings.ContainsAny(v.Value, "$%") {
		e.state[i] = 2
		return nil
	}
	if e.state[i] == 1 {
		return &CycleError{Keys: path[slices.Index(path, v.Key):]}
	}
	e.state[i] = 1
	path = append(path, v.Key)
	for _, m := range escaped.FindAllStringSubmatch(v.Value, -1) {
		j, ok := e.target(i, name(m))
		if ok && !e.out[j].Raw && !e.out[j].File {
			if err := e.visit(j, path); err != nil {
				return err
			}
		}
	}
	v.Value = replace(escaped, v.Value, func(key, whole string) string {
		j, ok := e.target(i, key)
		if !ok || e.out[j].Raw || e.out[j].File || e.spent > maxAllExpanded {
			return whole
		}
		e.spent += len(e.out[j].Value)
		return e.out[j].Value
	})
	e.state[i] = 2
	return nil
}

// target finds what a reference in variable i means: the winning variable of the key, or, if that is i
// itself, the one that i overrides, so that PATH: $PATH/x is no circle. Without one it is left to the runner.
func (e *expander) target(i int, key string) (int, bool) {
	j, ok := e.last[key]
	if ok && j == i {
		return e.prev[i], e.prev[i] >= 0
	}
	return j, ok
}

// Slug is the lower-case form for addresses: at most 63 characters of a-z, 0-9 and '-'.
func Slug(s string) string {
	s = strings.ToLower(s)
	b := []byte(nil)
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b = append(b, byte(r))
		} else {
			b = append(b, '-')
		}
	}
	return strings.Trim(string(b[:min(63, len(b))]), "-")
}

// References lists the names of the variables that a text refers to.
func References(text string) []string {
	if !strings.ContainsAny(text, "$%") {
		return nil
	}
	var out []string
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		out = append(out, name(m))
	}
	return out
}
