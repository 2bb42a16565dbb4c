package chatops

import (
	"regexp"
	"strconv"
	"strings"
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
	runPattern    = regexp.MustCompile(`(?s)\Arun[\s\v]+([^\s\v]+)(?:[\s\v]+(.+))?\z`)
	deployPattern = regexp.MustCompile(`\Adeploy\s+(\S+.*)\s+to+\s+(\S+.*)\z`)
	// A phone makes one long dash of two hyphens.
	withNeeds    = regexp.MustCompile(`(?s)\A(?:--|[—–])with-needs(?:\s+(.*))?\z`)
	endOfOptions = regexp.MustCompile(`(?s)\A(?:--|[—–])(?:\s+(.*))?\z`)
	firstWord    = regexp.MustCompile(`(?s)\A\s*(\S+)(?:\s+(.*))?\z`)
	others       = regexp.MustCompile(`\A(help|jobs|retry|cancel|status|logs|watch|play|approve|reject)(?:\s+(\S.*?))?\s*\z`)
)

// Parse reads a command: `run <job> <arguments>` to the letter as GitLab does, and our own. Where a chat changed what was
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
		a := Action{Verb: Verb(m[1]), Name: Unmangle(m[2])}
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

// withInput is the command with other arguments.
func (a Action) withInput(input string) string {
	text := strings.TrimSuffix(string(a.Verb)+" "+a.Name, " ")
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
