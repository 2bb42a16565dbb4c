package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/internal/secret"
)

// hide takes the values of masked variables out of a text that people will read.
func (f *files) hide(text string) string {
	if f.hidden == nil {
		f.hidden = hiddenForms(f.vars.Masked())
	}
	return secret.Mask(text, f.hidden)
}

// leastForm is how many bytes what is left of a value must have to be looked for.
const leastForm = 8

// hiddenForms lists values and what they look like within JSON, an address, or the path of a file.
func hiddenForms(values []string) []string {
	out := []string{}
	add := func(form string) {
		if !slices.Contains(out, form) {
			out = append(out, form)
		}
	}
	for _, v := range values {
		add(v)
		forms := []string{strings.Trim(v, "/"), url.PathEscape(v), url.QueryEscape(v), (&url.URL{Path: v}).EscapedPath()}
		for _, escaped := range []bool{true, false} {
			var text bytes.Buffer
			to := json.NewEncoder(&text)
			to.SetEscapeHTML(escaped)
			if err := to.Encode(v); err == nil {
				forms = append(forms, text.String()[1:text.Len()-2]) // without quotes and line end
			}
		}
		for _, form := range forms {
			if len(form) >= leastForm {
				add(form)
			}
		}
	}
	return out
}

// hideResult does it with all that a configuration's mistakes and includes say.
func (f *files) hideResult(r *config.Result) {
	for _, e := range append(r.Errors[:len(r.Errors):len(r.Errors)], r.Warnings...) {
		e.Text, e.Hint, e.File = f.hide(e.Text), f.hide(e.Hint), f.hide(e.File)
		for i := range e.Via {
			e.Via[i] = f.hide(e.Via[i])
		}
	}
	if r.Config == nil {
		return
	}
	for i := range r.Config.Includes {
		l, at := &r.Config.Includes[i].Location, &r.Config.Includes[i].At
		l.Name, l.Project, l.Ref, at.Source = f.hide(l.Name), f.hide(l.Project), f.hide(l.Ref), f.hide(at.Source)
	}
}

// hideIn does it with what is known of a pipeline, or why there is none.
func (f *files) hideIn(p *plan.Plan, err error) (*plan.Plan, error) {
	var refused *plan.Refusal
	if errors.As(err, &refused) {
		refused.Text = f.hide(refused.Text)
	}
	if p != nil {
		p.Name = f.hide(p.Name)
		for i := range p.LeftOut {
			p.LeftOut[i].Why = f.hide(p.LeftOut[i].Why)
		}
	}
	return p, err
}
