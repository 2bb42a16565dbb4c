package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/internal/fault"
)

// Params are the parameters of a request, merged from query, JSON, form and multipart; the body wins.
type Params struct{ values map[string]any }

// maxBody bounds the body of a request that is read whole.
const maxBody = 1 << 20

// ReadParams merges a request's parameters. Bodies over 1 MiB and JSON that is no object are refused.
func ReadParams(c *gin.Context) (Params, error) {
	p := Params{values: map[string]any{}}
	p.addForm(c.Request.URL.Query())
	if c.Request.Body == nil || c.Request.ContentLength == 0 {
		return p, nil
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
	kind, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type"))
	var err error
	switch kind {
	case "application/json":
		err = p.addJSON(c.Request.Body)
	case "multipart/form-data":
		if err = c.Request.ParseMultipartForm(maxBody); err == nil {
			p.addForm(c.Request.MultipartForm.Value)
		}
	case "application/x-www-form-urlencoded":
		if err = c.Request.ParseForm(); err == nil {
			p.addForm(c.Request.PostForm)
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return p, fault.New(fault.TooLarge, "413 Request Entity Too Large")
	}
	if err != nil {
		return p, fault.Wrap(fault.Invalid, err, "400 Bad request - the body cannot be read")
	}
	return p, nil
}

func (p *Params) addJSON(r io.Reader) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	var body map[string]any
	if err := d.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for k, v := range body {
		p.values[k] = v
	}
	return nil
}

// addForm reads a form; keys with brackets become lists and objects, as Rails reads them.
func (p *Params) addForm(form url.Values) {
	for key, values := range form {
		name, rest, nested := strings.Cut(key, "[")
		switch {
		case !nested:
			p.values[key] = values[len(values)-1]
		case rest == "]":
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			p.values[name] = list
		case strings.HasPrefix(rest, "]["):
			p.addObjects(name, strings.TrimSuffix(rest[2:], "]"), values)
		}
	}
}

// addObjects reads name[][field]=a&name[][field]=b as a list of objects.
func (p *Params) addObjects(name, field string, values []string) {
	list, _ := p.values[name].([]any)
	for i, v := range values {
		if i == len(list) {
			list = append(list, map[string]any{})
		}
		if o, ok := list[i].(map[string]any); ok {
			o[field] = v
		}
	}
	p.values[name] = list
}

// Has says whether a parameter was given and is not null.
func (p Params) Has(name string) bool { return p.values[name] != nil }

// String reads a text; "" if it was not given.
func (p Params) String(name string) (string, error) {
	switch v := p.values[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", &ParamError{name + " is invalid"}
}

// Required reads a text that must be there.
func (p Params) Required(name string) (string, error) {
	if !p.Has(name) {
		return "", &ParamError{name + " is missing"}
	}
	s, err := p.String(name)
	if err == nil && s == "" {
		return "", &ParamError{name + " is empty"}
	}
	return s, err
}

// Int reads a whole number, or fallback if it was not given.
func (p Params) Int(name string, fallback int64) (int64, error) {
	s, err := p.String(name)
	if err != nil || s == "" {
		return fallback, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > math.MaxInt32*int64(1<<20) {
		return 0, &ParamError{name + " is invalid"}
	}
	return n, nil
}

// Bool reads a boolean, or fallback if it was not given.
func (p Params) Bool(name string, fallback bool) (bool, error) {
	s, err := p.String(name)
	if err != nil || s == "" {
		return fallback, err
	}
	switch strings.ToLower(s) {
	case "true", "t", "1", "on":
		return true, nil
	case "false", "f", "0", "off":
		return false, nil
	}
	return false, &ParamError{name + " is invalid"}
}

// List reads a list of texts; a text with commas is one too.
func (p Params) List(name string) ([]string, error) {
	switch v := p.values[name].(type) {
	case nil:
		return nil, nil
	case string:
		var out []string
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		return out, nil
	case []any:
		var out []string
		for _, i := range v {
			s, ok := i.(string)
			if !ok {
				return nil, &ParamError{name + " is invalid"}
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, &ParamError{name + " is invalid"}
}

// Objects reads a list of objects with texts, such as variables.
func (p Params) Objects(name string) ([]map[string]string, error) {
	list, ok := p.values[name].([]any)
	if !ok && p.Has(name) {
		return nil, &ParamError{name + " is invalid"}
	}
	var out []map[string]string
	for _, i := range list {
		fields, ok := i.(map[string]any)
		if !ok {
			return nil, &ParamError{name + " is invalid"}
		}
		o := map[string]string{}
		for k := range fields {
			s, err := Params{fields}.String(k)
			if err != nil {
				return nil, err
			}
			o[k] = s
		}
		out = append(out, o)
	}
	return out, nil
}
