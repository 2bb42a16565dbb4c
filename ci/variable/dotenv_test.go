package variable

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDotenv(t *testing.T) {
	const key = "Validation failed: Key can contain only letters, digits and '_'. (line 1)"
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "K%d=%d\n", i, i)
		}
		return b.String()
	}
	for text, want := range map[string]string{
		"":                     "",
		"A=1\nB=2\n":           "A=1 B=2",
		"A=1\r\nB=2":           "A=1 B=2",
		"A=1\nB=2\nB=3\nA=4\n": "A=4 B=3",
		" A = x y \n":          "A=x y",
		"A=b=c":                "A=b=c",
		"A=":                   "A=",
		`A="x"`:                `A="x"`,
		"A=${B}_c # d":         "A=${B}_c # d",
		"A=\xff":               "A=\ufffd",
		"1=x":                  "1=x",
		"\ufeffA=1":            "A=1",
		"\xff\xfeA\x00=\x001\x00\n\x00B\x00=\x00\xe4\x00": "A=1 B=ä",
		"\xfe\xff\x00A\x00=\x001":                         "A=1",
		"A=1\n\nB=2\n":                                    "Invalid Format (line 2)",
		"A=1\n# so\n":                                     "Invalid Format (line 2)",
		"{'A': 1}":                                        "Invalid Format (line 1)",
		"A=\x00":                                          "Invalid Format (line 1)",
		"=x":                                              "Validation failed: Key can't be blank, Key can contain only letters, digits and '_'. (line 1)",
		"A B=x":                                           key,
		"🛹=x":                                             key,
		"A-B=x":                                           key,
		strings.Repeat("A", 256) + "=x":                   key,
		many(21):                                          "Dotenv files cannot have more than 20 variables",
	} {
		vars, err := ParseDotenv([]byte(text))
		var got []string
		for _, v := range vars {
			got = append(got, v.Key+"="+v.Value)
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", text, diff)
		}
	}
	if vars, err := ParseDotenv([]byte("A=1"), []byte("B=2"), []byte("A=3\n"+many(18))); err != nil || len(vars) != 20 || vars[0].Value != "3" {
		t.Errorf("several files: %v, %v", vars, err)
	}
}
