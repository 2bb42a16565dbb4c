package config

import (
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

// CrossNeed is an artifact of another pipeline that a job needs.
type CrossNeed struct {
	Pipeline  string `json:"pipeline,omitempty"`
	Project   string `json:"project,omitempty"`
	Job       string `json:"job"`
	Ref       string `json:"ref,omitempty"`
	Artifacts bool   `json:"artifacts"`
}

// upstream says whether the need is the state of another pipeline, which a job without script shows.
func (n Need) upstream() bool { return n.Cross != nil && n.Cross.Job == "" }

const maxCrossNeeds = 5

// whoseNeeds says where needs stand: a job may need artifacts of other pipelines, a bridge the state of one, a rule
// jobs of its own pipeline alone.
type whoseNeeds int

const (
	ofJob whoseNeeds = iota
	ofBridge
	ofRule
)

// needs reads the jobs that must come before.
func (l *loader) needs(v *yaml.Node, at string, whose whoseNeeds) *[]Need {
	items := flat(v)
	switch {
	case v.Kind == yaml.Map && len(v.Pairs) == 0:
		l.bad(v, at+" config", "can not be an empty hash")
		return nil
	case v.Kind == yaml.Map:
		items = []*yaml.Node{v}
	case v.Kind != yaml.List:
		l.bad(v, at+" config", "can only be a hash or an array")
		return nil
	}
	out := []Need{}
	mark := l.mark()
	if slices.ContainsFunc(items, func(i *yaml.Node) bool {
		p := i.Get("parallel")
		return p != nil && (p.Kind == yaml.Int || p.Kind == yaml.Float)
	}) {
		l.bad(v, at+" config", `cannot use "parallel: <number>".`)
	}
	l.inside(l.sound(mark), func() {
		for _, i := range items {
			if i.Kind == yaml.Null {
				continue
			}
			if n, ok := l.need(i, at+":need"); ok {
				out = append(out, n)
			}
		}
		if l.sound(mark) {
			l.kindsOfNeeds(v, out, at, whose)
		}
	})
	return &out
}

// kindsOfNeeds checks which kinds stand here, and how many of each.
func (l *loader) kindsOfNeeds(v *yaml.Node, needs []Need, at string, whose whoseNeeds) {
	pipelines, projects, upstream := 0, 0, 0
	for _, n := range needs {
		switch {
		case n.upstream():
			upstream++
		case n.Cross != nil && n.Cross.Project != "":
			projects++
		case n.Cross != nil:
			pipelines++
		}
	}
	var wrong []string
	if pipelines+projects > 0 && whose != ofJob {
		wrong = append(wrong, "cross_dependency")
	}
	if upstream > 0 && whose != ofBridge {
		wrong = append(wrong, "bridge")
	}
	switch {
	case wrong != nil:
		l.bad(v, at+" config", "uses invalid types: %s", strings.Join(wrong, ", "))
	case pipelines > maxCrossNeeds, projects > maxCrossNeeds:
		l.bad(v, at+" config", "must be less than or equal to %d", maxCrossNeeds)
	}
}

func (l *loader) need(v *yaml.Node, at string) (Need, bool) {
	if v.IsText() {
		if blank(v) {
			l.bad(v, at+" config", "can't be blank")
		}
		return Need{Job: v.Text, Artifacts: true}, v.Text != ""
	}
	job, pipeline, project := v.Get("job") != nil, v.Get("pipeline") != nil, v.Get("project") != nil || v.Get("ref") != nil
	switch {
	case v.Kind != yaml.Map, !job && !pipeline && !project:
		l.add(v, at+" has an unsupported type")
		return Need{}, false
	case project:
		l.unknownKeys(v, at+" config", "project", "ref", "job", "artifacts")
		c := &CrossNeed{Project: l.needed(v, "project", at), Ref: l.needed(v, "ref", at), Job: l.needed(v, "job", at)}
		c.Artifacts = l.unlessFalse(v.Get("artifacts"), at+" artifacts")
		return Need{Cross: c}, c.Job != ""
	case pipeline && !job:
		l.unknownKeys(v, at+" config", "pipeline")
		c := &CrossNeed{Pipeline: l.needed(v, "pipeline", at)}
		return Need{Cross: c}, c.Pipeline != ""
	case pipeline:
		l.unknownKeys(v, at+" config", "pipeline", "job", "artifacts")
		c := &CrossNeed{Pipeline: l.needed(v, "pipeline", at), Job: l.needed(v, "job", at)}
		c.Artifacts = l.unlessFalse(v.Get("artifacts"), at+" artifacts")
		return Need{Cross: c}, c.Job != ""
	}
	l.unknownKeys(v, at+" config", "job", "artifacts", "optional", "parallel")
	n := Need{Job: l.needed(v, "job", at), Artifacts: l.unlessFalse(v.Get("artifacts"), at+" artifacts"), Optional: l.boolean(v.Get("optional"), at+" optional")}
	if p := filled(v.Get("parallel")); p != nil {
		if parallel := l.parallel(p, at+":parallel", false); parallel != nil {
			n.Matrix = parallel.Matrix
		}
	}
	return n, n.Job != ""
}

// unlessFalse is a truth that is true if nothing is said.
func (l *loader) unlessFalse(v *yaml.Node, location string) bool {
	return filled(v) == nil || l.boolean(v, location)
}

var matrixReference = regexp.MustCompile(`\$\[\[\s*matrix\.([a-zA-Z0-9_-]+)\s*\]\]`)

// matrixValue puts the variables of the job that needs, those of its matrix and others, into a text.
func matrixValue(text string, own []Variable) (value, missing string) {
	value = matrixReference.ReplaceAllStringFunc(text, func(ref string) string {
		name := matrixReference.FindStringSubmatch(ref)[1]
		for _, v := range own {
			if v.Key == name {
				return v.Value
			}
		}
		missing = name
		return ""
	})
	return value, missing
}
