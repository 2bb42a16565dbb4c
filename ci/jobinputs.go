package ci

import (
	"encoding/json"
	"fmt"
	"strings"

	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// jobInputs are the inputs of a job with what it was given.
func jobInputs(f *jobFacts) ([]config.JobInput, error) {
	given := map[string]any{}
	if f.job.Inputs != "" {
		if err := json.Unmarshal([]byte(f.job.Inputs), &given); err != nil {
			return nil, fmt.Errorf("inputs of job %d: %w", f.job.ID, err)
		}
	}
	return config.ResolveJobInputs(f.definition.Inputs, given)
}

// chatArguments are the inputs of a job of a chat as variables, for scripts on runners that know no inputs: CHAT_ARG_ and the
// name in capitals. Lists are JSON.
func chatArguments(f *jobFacts, inputs []config.JobInput) variable.Collection {
	if f.pipeline.Source != enum.SourceChat {
		return nil
	}
	var out variable.Collection
	for _, in := range inputs {
		text, isText := in.Value.(string)
		if !isText {
			raw, err := json.Marshal(in.Value)
			if err != nil {
				continue // a value of JSON
			}
			text = string(raw)
		}
		key := "CHAT_ARG_" + strings.ToUpper(strings.ReplaceAll(in.Name, "-", "_"))
		out = append(out, variable.Variable{Key: key, Value: text, Public: true, Raw: true})
	}
	return out
}

// usesInputs says whether the runner has to replace inputs in what a job does.
func usesInputs(d *plan.Definition) bool {
	if len(d.Inputs) == 0 {
		return false
	}
	text, err := json.Marshal(d)
	return err != nil || strings.Contains(string(text), "${{")
}
