package expression

import (
	"strings"
	"testing"
)

type bad struct{}

var invalid = bad{}

// known are the variables of the cases.
var known = map[string]string{
	"P": "my variable", "PA": "a/path/variable/value", "FP": "/a/full/path/variable/value", "E": "", "S": "abcde", "R1": "/^ab.*/", "R2": "/^at.*/",
	"SP": "  ", "T": "true", "F": "false", "BR": "main", "DB": "main", "TAG": "v1.2.3", "ZERO": "0", "HASSL": "/foo",
}

func values() Values {
	return Values{
		Variable: func(name string) (string, bool) { v, ok := known[name]; return v, ok },
		Inputs:   map[string]any{"p": "aws", "e": "production"},
	}
}

var cases = []struct {
	text string
	raw  any
	want bool
}{
	{`$P == "my variable"`, true, true},
	{`"my variable" == $P`, true, true},
	{`$P == 'no match'`, false, false},
	{`$P == null`, false, false},
	{`$E == null`, false, false},
	{`"" == $E`, true, true},
	{`$E`, "", false},
	{`$U == null`, true, true},
	{`null == $U`, true, true},
	{`$P`, "my variable", true},
	{`$U`, nil, false},
	{`$P =~ /var.*e$/`, true, true},
	{`$P =~ /^var.*/`, false, false},
	{`$P =~ /VAR.*/i`, true, true},
	{`$P =~ /va\/r.*e$/`, false, false},
	{`$E =~ /var.*/`, false, false},
	{`$U =~ /var.*/`, false, false},
	{`$PA =~ /path\/variable/`, true, true},
	{`$FP =~ /^\/a\/full\/path\/variable\/value$/`, true, true},
	{`$FP =~ /\/path\/variable\/value$/`, true, true},
	{`$P != "my variable"`, false, false},
	{`"my variable" != $P`, false, false},
	{`$P != null`, true, true},
	{`$E != null`, true, true},
	{`"" != $E`, false, false},
	{`$U != null`, false, false},
	{`null != $U`, false, false},
	{`$P !~ /var.*e$/`, false, false},
	{`$P !~ /^var.*/`, true, true},
	{`$P !~ /^v\/ar.*/`, true, true},
	{`$E !~ /var.*/`, true, true},
	{`$U !~ /var.*/`, true, true},
	{`$P !~ /VAR.*/i`, false, false},
	{`!$U`, true, true},
	{`!$P`, false, false},
	{`!"false"`, false, false},
	{`!null`, true, true},
	{`!""`, true, true},
	{`!"0"`, false, false},
	{`!($P == "my variable")`, false, false},
	{`!("my variable" == $P)`, false, false},
	{`$P && "string"`, "string", true},
	{`$P && $P`, "my variable", true},
	{`$P && $E`, "", false},
	{`$P && null`, nil, false},
	{`"string" && $P`, "my variable", true},
	{`$E && $P`, "my variable", true},
	{`null && $P`, nil, false},
	{`$E && "string"`, "string", true},
	{`$E && $E`, "", false},
	{`"string" && $E`, "", false},
	{`"string" && null`, nil, false},
	{`null && "string"`, nil, false},
	{`"string" && "string"`, "string", true},
	{`null && null`, nil, false},
	{`$P =~ /my var/ && $E =~ /nope/`, false, false},
	{`$E == "" && $P`, "my variable", true},
	{`$E == "" && $P != "nope"`, true, true},
	{`$P && $U`, nil, false},
	{`$U && $E`, nil, false},
	{`$U && $P`, nil, false},
	{`!($U && $P)`, true, true},
	{`$FP =~ /^\/a\/full\/path\/variable\/value$/ && $PA =~ /path\/variable/`, true, true},
	{`$FP =~ /^\/a\/bad\/path\/variable\/value$/ && $PA =~ /path\/variable/`, false, false},
	{`$FP =~ /^\/a\/full\/path\/variable\/value$/ && $PA =~ /bad\/path\/variable/`, false, false},
	{`$FP =~ /^\/a\/bad\/path\/variable\/value$/ || $PA =~ /path\/variable/`, true, true},
	{`$FP =~ /^\/a\/full\/path\/variable\/value$/ || $PA =~ /bad\/path\/variable/`, true, true},
	{`$FP =~ /^\/a\/bad\/path\/variable\/value$/ || $PA =~ /bad\/path\/variable/`, false, false},
	{`$P =~ /my var/ || $E =~ /nope/`, true, true},
	{`$E == "" || $P`, true, true},
	{`$P != "nope" || $E == ""`, true, true},
	{`$P && null || $E == ""`, true, true},
	{`$P || $U`, "my variable", true},
	{`$U || $P`, "my variable", true},
	{`$U == null || $P`, true, true},
	{`$P || $U == null`, "my variable", true},
	{`($P)`, "my variable", true},
	{`(($P))`, "my variable", true},
	{`(($P && null) || $E == "")`, true, true},
	{`($P) && (null || $E == "")`, true, true},
	{`("string" || "test") == "string"`, true, true},
	{`(null || ("test" == "string"))`, false, false},
	{`("string" == ("test" && "string"))`, true, true},
	{`("string" == ("test" || "string"))`, false, false},
	{`("string" == "test" || "string")`, "string", true},
	{`("string" == ("string" || (("1" == "1") && ("2" == "3"))))`, true, true},
	{`!($P =~ /^content.*/ || $UNDEF) && ($E == "" || $PA)`, true, true},
	{`($X =~ /^content.*/ || $PA =~ /value$/) && !$U`, true, true},
	{`$S =~ "abcde"`, true, true},
	{`$S =~ $S`, true, true},
	{`$S =~ $R1`, true, true},
	{`$S =~ $R2`, false, false},
	{`$INVALID = 1`, invalid, false},
	{`""`, "", false},
	{`"false"`, "false", true},
	{`null`, nil, false},
	{`"0"`, "0", true},
	{`$[[ inputs.p ]] == "aws"`, true, true},
	{`$[[ inputs.p ]] == "gcp"`, false, false},
	{`$[[ inputs.p ]] == "aws" && $[[ inputs.e ]] == "production"`, true, true},
	{`$E || $P`, "", false},
	{`$SP`, "  ", false},
	{`!$SP`, true, true},
	{`$T == true`, true, true},
	{`true != $T`, false, false},
	{`$F == true`, false, false},
	{`$F == false`, true, true},
	{`$P == true`, false, false},
	{`$U == false`, false, false},
	{`$T == "true"`, true, true},
	{`true == true`, true, true},
	{`true`, true, true},
	{`false`, false, false},
	{`$F`, "false", true},
	{`$BR == $DB`, true, true},
	{`$BR == "main" && $TAG =~ /^v\d+\.\d+\.\d+$/`, true, true},
	{`$U == $U2`, true, true},
	{`$U == ""`, false, false},
	{`$U != ""`, true, true},
	{`$U =~ "abc"`, true, true},
	{`$E =~ "abc"`, true, true},
	{`"23" =~ "1234"`, true, true},
	{`"1234" =~ "23"`, false, false},
	{`$P =~ $U`, false, false},
	{`$P !~ $U`, true, true},
	{`$P =~ /a/`, invalid, false},
	{`$P =~ //`, invalid, false},
	{`$P =~ /my/x`, invalid, false},
	{`${P} == "my variable"`, invalid, false},
	{`$P == "it's"`, false, false},
	{`$P == 'say "hi"'`, false, false},
	{`$P == my`, invalid, false},
	{`!$U == null`, false, false},
	{`!($U == null)`, false, false},
	{`!!$P`, true, true},
	{`$P $U`, invalid, false},
	{`$P &&`, invalid, false},
	{`&& $P`, invalid, false},
	{`($P`, invalid, false},
	{`$P)`, invalid, false},
	{`()`, invalid, false},
	{`$P == "my variable" == true`, true, true},
	{`"a" == "a" && "b" == "c" || "d" == "d"`, true, true},
	{`"d" == "d" || "a" == "a" && "b" == "c"`, true, true},
	{`$P=="my variable"`, true, true},
	{`$S =~ /^AB/i && $S !~ /z/`, invalid, false},
	{`$ZERO`, "0", true},
	{`$R1 == "/^ab.*/"`, true, true},
	{`$HASSL =~ /^\/fo/`, true, true},
	{`"abc" =~ /b$|c$/`, true, true},
	{`$P =~ /ab/cd/`, invalid, false},
}

func TestExpressions(t *testing.T) {
	for _, c := range cases {
		e, err := Parse(c.text)
		if c.raw == any(invalid) {
			if err == nil {
				t.Errorf("%s is read, and gives %v", c.text, e.Value(values()))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := e.Value(values()); got != c.raw || e.Matches(values()) != c.want {
			t.Errorf("%s gives %#v and %v, want %#v and %v", c.text, got, e.Matches(values()), c.raw, c.want)
		}
	}
}

func TestFurtherForms(t *testing.T) {
	for text, want := range map[string]bool{
		`$P =~ /MY VAR/im`: true, "$LINES =~ /second/": true, "$LINES =~ /^second/": false, "$LINES =~ /^second/m": true, "$LINES =~ /first.second/s": true,
		`$ONE =~ $R`: true, `$U || "x" =~ /x/`: false,
	} {
		v := Values{Variable: func(name string) (string, bool) {
			more := map[string]string{"LINES": "first\nsecond", "ONE": "a", "R": "/a/", "P": "my variable"}
			s, ok := more[name]
			return s, ok
		}}
		e, err := Parse(text)
		if text == `$U || "x" =~ /x/` {
			if err == nil {
				t.Errorf("%s is read", text)
			}
			continue
		}
		if err != nil || e.Matches(v) != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{
		"$CI_COMMIT_REF =~ /^(?!master).+/", "$MY_VAR =~ /some ( thing/", "$MY_VAR == 123", "$MY_VAR ==", "== null", "", " ", strings.Repeat("$A && ", 60) + "$A",
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	if _, err := Parse(`$A == "x" && nonsense`); err == nil || err.(*Error).Column != 13 {
		t.Errorf("the place of a mistake: %v", err)
	}
}

// FuzzParse: whatever is read ends, and does not panic.
func FuzzParse(f *testing.F) {
	for _, c := range cases {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			if at := err.(*Error).Column; at < 0 || at > len(text) {
				t.Fatalf("a mistake at %d of %d", at, len(text))
			}
			return
		}
		e.Matches(values())
	})
}

func BenchmarkMatches(b *testing.B) {
	e, err := Parse(`$CI_PIPELINE_SOURCE == "push" && ($BR =~ /^release\/.*$/ || $BR == $DB)`)
	if err != nil {
		b.Fatal(err)
	}
	v := values()
	b.ReportAllocs()
	for b.Loop() {
		e.Matches(v)
	}
}
