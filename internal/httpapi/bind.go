package httpapi

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/fault"
)

// Bind reads declared parameters into the struct that into points to. A field is declared by its tags:
//
//	param:"name,required"      its name; required must be given; filled may not be empty; a nullable pointer
//	                           leads to zero if null or nothing is given, to take away what was set
//	values:"a b c"             the only values allowed, of a list each of its entries
//	max:"255"                  the most characters
//	oneof:"a b" on a blank field: at least one of them must be given; "*" stands for all that are declared
//	either:"a b" on a blank field: not more than one of them may be given
//
// Types are strings, bools, whole and decimal numbers, pointers to them (nil if not given), lists of texts
// and numbers, Date, Timestamp, map[string]string, map[string]any, structs (name[field]) and lists of them.
// All that is missing or wrong is reported together, in GitLab's words (facts: rest-api 1.3).
func (p Params) Bind(into any) error {
	b := &binder{}
	b.fields(p, reflect.ValueOf(into).Elem(), "")
	return b.err()
}

// binder gathers what is wrong.
type binder struct {
	missing  []string
	problems []string
	tooLong  fault.Fields
}

func (b *binder) err() error {
	var all []string
	for _, m := range b.missing {
		all = append(all, m+" is missing")
	}
	all = append(all, b.problems...)
	if len(all) > 0 {
		return &ParamError{strings.Join(all, ", ")}
	}
	if len(b.tooLong) > 0 {
		return b.tooLong
	}
	return nil
}

func (b *binder) fields(p Params, v reflect.Value, prefix string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if names := field.Tag.Get("oneof"); names != "" {
			if names == "*" {
				names = strings.Join(declared(v.Type()), " ")
			}
			b.oneOf(p, strings.Fields(names))
		}
		if names := field.Tag.Get("either"); names != "" {
			b.either(p, strings.Fields(names))
		}
		if field.Anonymous && field.Type.Kind() == reflect.Struct && field.Tag.Get("param") == "" {
			b.fields(p, v.Field(i), prefix)
			continue
		}
		tag := field.Tag.Get("param")
		if tag == "" {
			continue
		}
		options := strings.Split(tag, ",")
		b.field(p, v.Field(i), field.Tag, options[0], prefix, options[1:])
	}
}

// declared lists the names of the parameters of a struct.
func declared(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("param"), ",")
		switch {
		case name != "":
			names = append(names, name)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			names = append(names, declared(f.Type)...)
		}
	}
	return names
}

func (b *binder) oneOf(p Params, names []string) {
	if slices.ContainsFunc(names, p.Has) {
		return
	}
	verb := "are"
	if len(names) == 1 {
		verb = "is"
	}
	b.problems = append(b.problems, strings.Join(names, ", ")+" "+verb+" missing, at least one parameter must be provided")
}

func (b *binder) either(p Params, names []string) {
	given := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !p.Has(n) })
	if len(given) > 1 {
		b.problems = append(b.problems, strings.Join(given, ", ")+" are mutually exclusive")
	}
}

func (b *binder) field(p Params, v reflect.Value, tag reflect.StructTag, name, prefix string, options []string) {
	full := name
	if prefix != "" {
		full = prefix + "[" + name + "]"
	}
	raw, given := p.values[name]
	if given && (raw == nil || raw == "") && slices.Contains(options, "nullable") {
		v.Set(reflect.New(v.Type().Elem()))
		return
	}
	if !given || raw == nil {
		if slices.Contains(options, "required") {
			b.missing = append(b.missing, full)
		}
		return
	}
	if slices.Contains(options, "filled") && raw == "" {
		b.problems = append(b.problems, full+" is empty")
		return
	}
	if !b.value(v, raw, full) {
		if problem := full + " is invalid"; !slices.Contains(b.problems, problem) {
			b.problems = append(b.problems, problem)
		}
		return
	}
	if values := tag.Get("values"); values != "" && !allowed(v, strings.Fields(values)) {
		b.problems = append(b.problems, full+" does not have a valid value")
	}
	if limit, err := strconv.Atoi(tag.Get("max")); err == nil && len([]rune(textOf(v))) > limit {
		if b.tooLong == nil {
			b.tooLong = fault.Fields{}
		}
		b.tooLong[name] = append(b.tooLong[name], fmt.Sprintf("is too long (maximum is %d characters)", limit))
	}
}

// textOf is a value that is a text, or a pointer to one; "" for others.
func textOf(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

// allowed checks an enumeration. An empty text is as good as none.
func allowed(v reflect.Value, values []string) bool {
	switch {
	case v.Kind() == reflect.Pointer:
		return v.IsNil() || allowed(v.Elem(), values)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if !allowed(v.Index(i), values) {
				return false
			}
		}
		return true
	}
	text := fmt.Sprint(v.Interface())
	return text == "" || slices.Contains(values, text)
}

// Date is a day, as tokens and members expire. Given without a time means that it shall be cleared.
type Date struct {
	Given bool
	Time  *time.Time
}

// Timestamp is a time that clients write in many ways; nil if it was not given.
type Timestamp struct{ *time.Time }

var (
	dateType      = reflect.TypeFor[Date]()
	timestampType = reflect.TypeFor[Timestamp]()
)

// value stores a raw parameter; false if it is of another type.
func (b *binder) value(v reflect.Value, raw any, name string) bool {
	switch v.Type() {
	case dateType:
		return bindDate(v, raw)
	case timestampType:
		text, ok := scalar(raw)
		at, parsed := ParseTime(text)
		if ok && text != "" && parsed {
			v.Set(reflect.ValueOf(Timestamp{&at}))
		}
		return ok && (parsed || text == "")
	}
	switch v.Kind() {
	case reflect.Pointer:
		if raw == "" && !emptied(v.Type().Elem()) {
			return true // an empty number or bool is none
		}
		v.Set(reflect.New(v.Type().Elem()))
		return b.value(v.Elem(), raw, name)
	case reflect.Interface:
		if raw != nil {
			v.Set(reflect.ValueOf(raw))
		}
		return true
	case reflect.Slice:
		return b.slice(v, raw, name)
	case reflect.Map:
		return bindMap(v, raw)
	case reflect.Struct:
		fields, ok := raw.(map[string]any)
		if ok {
			b.fields(Params{fields}, v, name)
		}
		return ok
	}
	text, ok := scalar(raw)
	return ok && bindScalar(v, text)
}

// emptied says whether an empty text empties a parameter of a type, as it does texts and lists of them.
func emptied(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Struct
}

func bindScalar(v reflect.Value, text string) bool {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return true
	case reflect.Int, reflect.Int64:
		if text == "" {
			return true
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > maxID || n < -maxID {
			return false
		}
		v.SetInt(n)
		return true
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		v.SetFloat(n)
		return err == nil
	case reflect.Bool:
		on, ok := parseBool(text)
		v.SetBool(on)
		return ok
	}
	return false
}

// maxID bounds numbers so that they fit every column.
const maxID = 1<<53 - 1

func parseBool(text string) (on, ok bool) {
	switch strings.ToLower(text) {
	case "true", "t", "1", "on", "yes", "y":
		return true, true
	case "false", "f", "0", "off", "no", "n", "":
		return false, true
	}
	return false, false
}

func bindDate(v reflect.Value, raw any) bool {
	text, ok := scalar(raw)
	if !ok {
		return false
	}
	d := Date{Given: true}
	if text != "" {
		at, ok := ParseTime(text)
		if !ok {
			return false
		}
		at = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
		d.Time = &at
	}
	v.Set(reflect.ValueOf(d))
	return true
}

// slice reads a list: an array, a comma-separated text, or what forms make of indexes.
func (b *binder) slice(v reflect.Value, raw any, name string) bool {
	items, ok := listOf(raw, v.Type().Elem().Kind() != reflect.Struct)
	if !ok {
		return false
	}
	out := reflect.MakeSlice(v.Type(), 0, len(items))
	for _, item := range items {
		e := reflect.New(v.Type().Elem()).Elem()
		if !b.value(e, item, name) {
			return false
		}
		out = reflect.Append(out, e)
	}
	v.Set(out)
	return true
}

func bindMap(v reflect.Value, raw any) bool {
	given, ok := raw.(map[string]any)
	if !ok {
		return false
	}
	out := reflect.MakeMap(v.Type())
	for k, item := range given {
		if v.Type().Elem().Kind() == reflect.Interface {
			if item != nil {
				out.SetMapIndex(reflect.ValueOf(k), reflect.ValueOf(item))
			}
			continue
		}
		text, ok := item.(string)
		if !ok {
			return false
		}
		out.SetMapIndex(reflect.ValueOf(k), reflect.ValueOf(text))
	}
	v.Set(out)
	return true
}

var errMalformed = fault.Refused(fault.Invalid, "a parameter holds bytes that are no text")
