package shellrunner

import (
	"encoding/json"
	"regexp"

	"signalbox/runnerproto"
)

var inputMark = regexp.MustCompile(`\$\{\{\s*job\.inputs\.([\w-]+)\s*\}\}`)

// fill puts the inputs of a job where its script names them. Lists are JSON; what names no input stays.
func fill(script []string, inputs []runnerproto.JobInput) []string {
	values := map[string]string{}
	for _, in := range inputs {
		text, isText := in.Value.Content.(string)
		if !isText {
			raw, err := json.Marshal(in.Value.Content)
			if err != nil {
				continue
			}
			text = string(raw)
		}
		values[in.Key] = text
	}
	out := make([]string, len(script))
	for i, line := range script {
		out[i] = inputMark.ReplaceAllStringFunc(line, func(mark string) string {
			if v, ok := values[inputMark.FindStringSubmatch(mark)[1]]; ok {
				return v
			}
			return mark
		})
	}
	return out
}
