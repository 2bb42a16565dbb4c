package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"signalbox/internal/fault"
)

// Params are the parameters of a request, merged from query, JSON, form and multipart; the body wins.
type Params struct{ values map[string]any }

// maxBody bounds the body of a request that is read whole, unless its endpoint takes more.
const maxBody = 1 << 20

// maxNesting bounds how deep lists and objects of a body may lie in one another.
const maxNesting = 32

// ReadParams merges a request's parameters. limit is the most bytes of a body; 0 means 1 MiB.
func ReadParams(c *gin.Context, limit int64) (Params, error) {
	p := Params{values: map[string]any{}}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return p, fault.Refused(fault.Invalid, "the query cannot be read").Because(err)
	}
	p.addForm(query)
	if c.Request.Body != nil && c.Request.ContentLength != 0 {
		if limit == 0 {
			limit = maxBody
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		if err := p.addBody(c.Request, limit); err != nil {
			return p, bodyError(err)
		}
	}
	if !textual(p.values, 0) {
		return p, errMalformed
	}
	return p, nil
}

func (p *Params) addBody(r *http.Request, limit int64) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "multipart/form-data":
		if err := r.ParseMultipartForm(limit); err != nil {
			return err
		}
		defer r.MultipartForm.RemoveAll()
		p.addForm(r.MultipartForm.Value)
	case "application/x-www-form-urlencoded":
		if err := r.ParseForm(); err != nil {
			return err
		}
		p.addForm(r.PostForm)
	case "application/json", "text/json":
		return p.addJSON(r.Body)
	default:
		// Whatever else is sent is not for us, but it is read, so that the connection stays usable.
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}
	return nil
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || strings.Contains(err.Error(), "message too large") {
		return fault.Refused(fault.TooLarge, "")
	}
	return &ParamError{"message body does not match declared format"}
}

func (p *Params) addJSON(r io.Reader) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	var body map[string]any
	if err := d.Decode(&body); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("more than one value")
		}
		return err
	}
	for k, v := range body {
		p.values[k] = v
	}
	return nil
}

// textual says whether all texts are valid UTF-8 without NUL, and nothing is nested too deeply.
func textual(v any, depth int) bool {
	if depth > maxNesting {
		return false
	}
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v) && !strings.ContainsRune(v, 0)
	case []any:
		for _, item := range v {
			if !textual(item, depth+1) {
				return false
			}
		}
	case map[string]any:
		for k, item := range v {
			if !textual(k, depth+1) || !textual(item, depth+1) {
				return false
			}
		}
	}
	return true
}

// addForm reads a form; keys with brackets become lists and objects, as Rails reads them.
func (p *Params) addForm(form url.Values) {
	keys := make([]string, 0, len(form))
	for key := range form {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		values := form[key]
		name, rest, nested := strings.Cut(key, "[")
		if !nested {
			p.values[key] = merged(p.values[key], values)
			continue
		}
		path := strings.Split(strings.TrimSuffix(rest, "]"), "][")
		if len(path) > maxNesting {
			continue
		}
		p.values[name] = placed(p.values[name], path, values)
	}
}

// merged is the value of a plain key: the last one, but a repeated scope is a list, as some clients send it.
func merged(old any, values []string) any {
	if len(values) > 1 && old == nil {
		return repeated(values)
	}
	return values[len(values)-1]
}

// repeated is a key that was given several times without brackets. Where one text is wanted the last counts.
type repeated []string

// placed puts form values at a path of brackets below a name: [] appends, [key] goes into an object.
func placed(old any, path []string, values []string) any {
	if path[0] != "" {
		o, ok := old.(map[string]any)
		if !ok {
			o = map[string]any{}
		}
		if len(path) == 1 {
			o[path[0]] = values[len(values)-1]
		} else {
			o[path[0]] = placed(o[path[0]], path[1:], values)
		}
		return o
	}
	list, _ := old.([]any)
	if len(path) == 1 {
		for _, v := range values {
			list = append(list, v)
		}
		return list
	}
	for i, v := range values { // name[][field]=a&name[][field]=b are objects in order
		if i == len(list) {
			list = append(list, map[string]any{})
		}
		list[i] = placed(list[i], path[1:], []string{v})
	}
	return list
}

// Has says whether a parameter was given, be it null.
func (p Params) Has(name string) bool {
	_, given := p.values[name]
	return given
}

// Values is a copy of all parameters, as JSON holds them.
func (p Params) Values() map[string]any { return maps.Clone(p.values) }

// scalar is a single value as text; false if it is a list or an object.
func scalar(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case repeated:
		return v[len(v)-1], true
	}
	return "", false
}

// listOf is a list of values: an array, a text with commas, or an object whose keys are indexes.
func listOf(raw any, commas bool) ([]any, bool) {
	switch v := raw.(type) {
	case []any:
		return v, true
	case repeated:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out, true
	case map[string]any:
		keys := make([]int, 0, len(v))
		for k := range v {
			n, err := strconv.Atoi(k)
			if err != nil {
				return nil, false
			}
			keys = append(keys, n)
		}
		slices.Sort(keys)
		var out []any
		for _, k := range keys {
			out = append(out, v[strconv.Itoa(k)])
		}
		return out, true
	}
	text, ok := scalar(raw)
	if !ok || !commas {
		return nil, ok && text == ""
	}
	out := []any{}
	for _, s := range strings.Split(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out, true
}
