package httpapi

import (
	"errors"
	"net/http"
	"strconv"

	"signalbox/internal/fault"
)

// titles are the words that GitLab puts behind the status where they are not those of the status itself.
var titles = map[fault.Kind]string{fault.Invalid: "Bad request"}

// Text is what programs read of an error: its message, with status and title in front where GitLab's API has them. It is
// the one place that adds a status to a message.
func Text(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) || fault.KindOf(err) != f.Kind {
		return fault.Message(err)
	}
	code := statuses[f.Kind]
	status := strconv.Itoa(code) + " "
	switch {
	case f.Missing != "":
		return status + f.Missing + " Not Found"
	case f.Kind == fault.NotFound && f.Message == "" && !f.Titled:
		return status + "Not found" // what a missing row is answered with; a refusal by rule is "404 Not Found"
	case !f.Titled && f.Message != "":
		return f.Message
	}
	title, ok := titles[f.Kind]
	if !ok {
		title = http.StatusText(code)
	}
	if f.Message == "" {
		return status + title
	}
	return status + title + " - " + f.Message
}
