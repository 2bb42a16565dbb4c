package web

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// accepted are the types of an Accept header, in order, without their weights.
func accepted(r *http.Request) []string {
	var out []string
	for _, one := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if kind, _, err := mime.ParseMediaType(one); err == nil {
			out = append(out, kind)
		}
	}
	return out
}

// wantsPage says that a client names pages among what it takes, as browsers do.
func wantsPage(r *http.Request) bool {
	for _, kind := range accepted(r) {
		if kind == "text/html" || kind == "application/xhtml+xml" {
			return true
		}
	}
	return false
}

// isProgram says that a client takes no page: it asks for something else first. One that takes anything may be a person's, such
// as curl, and is led to sign in.
func isProgram(r *http.Request) bool {
	kinds := accepted(r)
	return len(kinds) > 0 && kinds[0] != "*/*" && !wantsPage(r)
}

// answerProgram says what went wrong in the form that a program asks for.
func answerProgram(r *request, status int) {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	for _, kind := range accepted(r.Request) {
		if kind == "application/json" || strings.HasSuffix(kind, "+json") {
			r.w.Header().Set("Content-Type", "application/json")
			r.w.WriteHeader(status)
			json.NewEncoder(r.w).Encode(map[string]string{"error": text}) // whoever asked has gone if this fails
			return
		}
	}
	http.Error(r.w, text, status)
}
