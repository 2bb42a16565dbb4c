package api

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
)

// Facts are attributes that are only kept and given back. A struct of pointers declares them: the tags param and values
// say what may be given, json how it is told, and default what stands where nothing was given (null without one).

// factsOf are the facts that were given, by name.
func factsOf(given any) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(given)
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsNil() {
			out[v.Type().Field(i).Tag.Get("json")] = f.Elem().Interface()
		}
	}
	return out
}

// factMap are all facts of a struct by name, with null for what has none.
func factMap(facts any) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(facts)
	for i := range v.NumField() {
		out[v.Type().Field(i).Tag.Get("json")] = v.Field(i).Interface()
	}
	return out
}

// keepFacts lays facts that were given over those that are kept. The kept map itself stays as it is.
func keepFacts(kept map[string]any, given any) map[string]any {
	out := maps.Clone(kept)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, factsOf(given))
	return out
}

// tellFacts fills in what is kept, and the defaults.
func tellFacts[F any](kept map[string]any) F {
	var out F
	v := reflect.ValueOf(&out).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		value, known := kept[tag.Get("json")]
		if text, ok := tag.Lookup("default"); ok && !known {
			value = defaultOf(v.Field(i).Type().Elem(), text)
		}
		if value == nil {
			continue
		}
		from, into := reflect.ValueOf(value), v.Field(i).Type().Elem()
		if from.Type() != into && !(from.CanFloat() && into.Kind() == reflect.Int64) { // of another version: as if it were not kept
			continue
		}
		v.Field(i).Set(reflect.New(into))
		v.Field(i).Elem().Set(from.Convert(into))
	}
	return out
}

// defaultOf reads a default of the source text. It panics on one that cannot be read, which a test finds.
func defaultOf(t reflect.Type, text string) any {
	var value any = text
	var err error
	switch t.Kind() {
	case reflect.Bool:
		value, err = strconv.ParseBool(text)
	case reflect.Int64:
		value, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		panic(fmt.Sprintf("default %q: %v", text, err))
	}
	return value
}
