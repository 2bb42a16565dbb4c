package config

import (
	"regexp"

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

const maxCrossNeeds = 5

// needs reads the jobs that must come before. cross allows those of other pipelines.
func (l *loader) needs(v *yaml.Node, at string, cross bool) *[]Need {
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
	others := 0
	for _, i := range items {
		n, ok := l.need(i, at+":need")
		if !ok {
			continue
		}
		if n.Cross != nil {
			others++
			if !cross {
				l.bad(i, at+" config", "uses invalid types: cross_dependency")
			}
		}
		out = append(out, n)
	}
	if others > maxCrossNeeds {
		l.bad(v, at+" config", "must be less than or equal to %d", maxCrossNeeds)
	}
	return &out
}

func (l *loader) need(v *yaml.Node, at string) (Need, bool) {
	if v.IsText() {
		if v.Text == "" {
			l.bad(v, at+" config", "can't be blank")
			return Need{}, false
		}
		return Need{Job: v.Text, Artifacts: true}, true
	}
	if v.Kind != yaml.Map {
		l.bad(v, at, "has an unsupported type")
		return Need{}, false
	}
	if v.Get("pipeline") != nil || v.Get("project") != nil {
		return l.crossNeed(v, at)
	}
	l.unknownKeys(v, at+" config", "job", "artifacts", "optional", "parallel")
	n := Need{Job: l.needed(v, "job", at), Artifacts: true, Optional: l.boolean(v.Get("optional"), at+" optional")}
	if a := v.Get("artifacts"); a != nil && a.Kind != yaml.Null {
		n.Artifacts = l.boolean(a, at+" artifacts")
	}
	if p := v.Get("parallel"); p != nil && p.Kind != yaml.Null {
		if parallel := l.parallel(p, at+":parallel", true); parallel != nil {
			n.Matrix = parallel.Matrix
		}
	}
	return n, n.Job != ""
}

func (l *loader) crossNeed(v *yaml.Node, at string) (Need, bool) {
	c := &CrossNeed{Artifacts: true}
	if v.Get("project") != nil {
		l.unknownKeys(v, at+" config", "project", "job", "ref", "artifacts")
		c.Project, c.Ref = l.needed(v, "project", at), l.needed(v, "ref", at)
	} else {
		l.unknownKeys(v, at+" config", "pipeline", "job", "artifacts")
		c.Pipeline = l.needed(v, "pipeline", at)
		if v.Get("job") == nil { // of a trigger job: it shows the state of the pipeline
			return Need{Cross: c}, c.Pipeline != ""
		}
	}
	c.Job = l.needed(v, "job", at)
	if a := v.Get("artifacts"); a != nil && a.Kind != yaml.Null {
		c.Artifacts = l.boolean(a, at+" artifacts")
	}
	return Need{Cross: c}, c.Job != ""
}

var matrixReference = regexp.MustCompile(`\$\[\[\s*matrix\.(\w+)\s*\]\]`)

// matrixValue puts the values of the job that needs into a value of a matrix.
func matrixValue(text string, own *Instance) (value, missing string) {
	value = matrixReference.ReplaceAllStringFunc(text, func(ref string) string {
		name := matrixReference.FindStringSubmatch(ref)[1]
		if own != nil {
			for _, v := range own.Variables {
				if v.Key == name {
					return v.Value
				}
			}
		}
		missing = name
		return ""
	})
	return value, missing
}
