package ci

import (
	"reflect"
	"testing"
	"time"

	"signalbox/models"
)

// TestAnyChangeOfARunnerIsAChange: whatever field of a runner differs from what a request was judged by, its claim is
// refused, also of fields that come later.
func TestAnyChangeOfARunnerIsAChange(t *testing.T) {
	var before models.Runner
	if !unchanged(&models.Runner{}, &before) {
		t.Error("a runner differs from itself")
	}
	for i := range reflect.TypeOf(before).NumField() {
		now := models.Runner{}
		f := reflect.ValueOf(&now).Elem().Field(i)
		switch f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Struct:
			f.Set(reflect.ValueOf(time.Unix(1, 0)))
		default:
			t.Fatalf("field %s is of a kind that this test does not know", reflect.TypeOf(before).Field(i).Name)
		}
		if unchanged(&now, &before) {
			t.Errorf("another %s is no change", reflect.TypeOf(before).Field(i).Name)
		}
	}
}
