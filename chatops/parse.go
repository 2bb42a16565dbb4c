package chatops

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/ci/config"
)

// Verb is what a command asks for.
type Verb string

// The verbs.
const (
	Help        Verb = "help"
	Run         Verb = "run"
	RunStage    Verb = "run stage"
	RunPipeline Verb = "run pipeline"
	Deploy      Verb = "deploy"
	Jobs        Verb = "jobs"
	Retry       Verb = "retry"
	Cancel      Verb = "cancel"
	Status      Verb = "status"
	Logs        Verb = "logs"
	Watch       Verb = "watch"
	Start       Verb = "play"
	Approve     Verb = "approve"
	Reject      Verb = "reject"
)

// Action is a command that was understood.
type Action struct {
	Verb      Verb
	Name      string // of the job or stage; empty: the last one that the person ran
	Number    int64  // of a job or pipeline
	Pipeline  bool   // the number is a pipeline's, and no job's
	Command   int64  // number of a command that waits for approval
	Input     string // what stands behind the name, as it was typed
	WithNeeds bool
	From, To  string // environments of a deployment
}

var (
	// runPattern is GitLab's grammar of the action: the job is one word, everything behind it is its input.
	runPattern    = regexp.MustCompile(`(?s)\A(?i:run)[\s\v]+([^\s\v]+)(?:[\s\v]+(.+))?\z`)
	deployPattern = regexp.MustCompile(`\A(?i:deploy)\s+(\S+.*)\s+(?i:to+)\s+(\S+.*)\z`)
	// A phone makes one long dash of two hyphens.
	withNeeds    = regexp.MustCompile(`(?s)\A(?:--|[—–])with-needs(?:\s+(.*))?\z`)
	endOfOptions = regexp.MustCompile(`(?s)\A(?:--|[—–])(?:\s+(.*))?\z`)
	firstWord    = regexp.MustCompile(`(?s)\A\s*(\S+)(?:\s+(.*))?\z`)
	others       = regexp.MustCompile(`\A((?i:help|jobs|retry|cancel|status|logs|watch|play|approve|reject))(?:\s+(\S.*?))?\s*\z`)
)

// verbs are the words with which commands begin.
var verbs = []string{
	string(Help), string(Run), string(Deploy), string(Jobs), string(Retry), string(Cancel), string(Status), string(Logs), string(Watch), string(Start),
	string(Approve), string(Reject),
}

// meantVerbs are the verbs that the first word of what is no command is close to.
func meantVerbs(text string) []string {
	word, _, _ := strings.Cut(strings.TrimSpace(Unmangle(text)), " ")
	if word == "" || slices.Contains(verbs, strings.ToLower(word)) {
		return nil
	}
	return config.Nearest(word, verbs, 2)
}

// Parse reads a command: `run <job> <arguments>` to the letter as GitLab does, but for the case of the verb, and our own. Where a chat changed what was
// typed, such as a blank into one that does not break, it is read as it was meant. False if it is no command.
func Parse(text string) (Action, bool) {
	if a, ok := parse(text); ok {
		return a, true
	}
	return parse(strings.TrimSpace(Unmangle(text)))
}

func parse(text string) (Action, bool) {
	if m := runPattern.FindStringSubmatch(text); m != nil {
		return Action{Verb: Run, Name: Unmangle(m[1]), Input: m[2]}.options(), true
	}
	if m := deployPattern.FindStringSubmatch(text); m != nil {
		return Action{Verb: Deploy, From: m[1], To: m[2]}, true
	}
	if m := others.FindStringSubmatch(text); m != nil {
		a := Action{Verb: Verb(strings.ToLower(m[1])), Name: Unmangle(m[2])}
		if text, ok := strings.CutPrefix(a.Name, "command "); ok && (a.Verb == Approve || a.Verb == Reject) {
			a.Command, _ = strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 64)
		}
		number, pipeline := strings.CutPrefix(a.Name, "pipeline ")
		if n, err := strconv.ParseInt(strings.TrimPrefix(number, "#"), 10, 64); err == nil && n > 0 {
			a.Number, a.Pipeline = n, pipeline
		}
		return a, true
	}
	return Action{}, false
}

// options reads --with-needs, right before the job's name or right behind it. Behind it, -- ends the options: what follows is
// the job's, even if it looks like ours. Where it ends nothing of ours it is the job's as well, as GitLab has it.
func (a Action) options() Action {
	if withNeeds.MatchString(a.Name) {
		if m := firstWord.FindStringSubmatch(a.Input); m != nil {
			a.WithNeeds, a.Name, a.Input = true, Unmangle(m[1]), m[2]
		}
	}
	if m := withNeeds.FindStringSubmatch(a.Input); m != nil {
		a.WithNeeds, a.Input = true, m[1]
	}
	end := endOfOptions.FindStringSubmatch(a.Input)
	if end == nil {
		return a
	}
	rest := end[1]
	for m := end; m != nil; m = endOfOptions.FindStringSubmatch(rest) {
		rest = m[1]
	}
	if a.WithNeeds || withNeeds.MatchString(rest) {
		a.Input = end[1]
	}
	return a
}

// quotes are how people and phones write quotation marks.
var quotes = map[byte]string{'"': "\"“”„", '\'': "'‘’‚"}

// Quoted reads a name in quotes, which may have blanks; GitLab knows names of one word alone.
func (a Action) Quoted() (Action, bool) {
	if a.Verb != Run || len(a.Name) < 2 || quotes[a.Name[0]] == "" {
		return a, false
	}
	text := a.Name[1:]
	if a.Input != "" {
		text += " " + a.Input
	}
	name, rest, ok := cutAny(text, quotes[a.Name[0]])
	if !ok || name == "" || rest != "" && !strings.ContainsAny(rest[:1], " \t\n") {
		return a, false
	}
	return Action{Verb: Run, Name: name, Input: strings.TrimLeft(rest, " \t\n"), WithNeeds: a.WithNeeds}.options(), true
}

func cutAny(s, chars string) (before, after string, found bool) {
	for i, r := range s {
		if strings.ContainsRune(chars, r) {
			return s[:i], s[i+utf8.RuneLen(r):], true
		}
	}
	return s, "", false
}

// nameText is a job's name as it is typed behind run.
func nameText(name string) string {
	if !strings.ContainsFunc(name, unicode.IsSpace) {
		return name
	}
	if strings.Contains(name, `"`) {
		return "'" + name + "'"
	}
	return `"` + name + `"`
}

// withInput is the command with other arguments.
func (a Action) withInput(input string) string {
	name := a.Name
	if a.Verb == Run {
		name = nameText(name)
	}
	text := strings.TrimSuffix(string(a.Verb)+" "+name, " ")
	if a.Verb == RunPipeline {
		text = string(a.Verb) + a.Name
	}
	if a.WithNeeds {
		text += " --with-needs"
	}
	rest := input
	for m := endOfOptions.FindStringSubmatch(rest); m != nil; m = endOfOptions.FindStringSubmatch(rest) {
		rest = m[1]
	}
	if withNeeds.MatchString(rest) || a.WithNeeds && rest != input {
		text += " --"
	}
	return strings.TrimRight(text+" "+input, " ")
}

// AsGroup reads `run stage <name>`, `run pipeline` and `run pipeline @<ref>` of a project that has no job of the name stage or pipeline.
func (a Action) AsGroup() (Action, bool) {
	word, ref, _ := strings.Cut(a.Name, "@")
	switch {
	case a.Verb != Run:
	case word == "pipeline":
		input := a.Input
		if m := firstWord.FindStringSubmatch(input); ref == "" && m != nil && len(m[1]) > 1 && m[1][0] == '@' {
			ref, input = m[1][1:], m[2]
		}
		return Action{Verb: RunPipeline, Name: at("", ref), Input: input}, true
	case word == "stage" && ref == "" && strings.TrimSpace(a.Input) != "":
		m := firstWord.FindStringSubmatch(a.Input)
		return Action{Verb: RunStage, Name: Unmangle(m[1]), Input: strings.TrimSpace(m[2])}, true
	}
	return a, false
}

func at(name, ref string) string {
	if ref == "" {
		return name
	}
	return name + "@" + ref
}

// onRef is the command without the ref that it names.
func (a Action) onRef() Action {
	if group, ok := a.AsGroup(); ok {
		a = group
	}
	a.Name, _ = a.OnRef()
	return a
}

// OnRef splits `name@ref` at its last @; ref is empty if there is none.
func (a Action) OnRef() (name, ref string) {
	if i := strings.LastIndexByte(a.Name, '@'); i >= 0 && i < len(a.Name)-1 {
		return a.Name[:i], a.Name[i+1:]
	}
	return a.Name, ""
}
