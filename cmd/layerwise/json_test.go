package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// The JSON that help texts show has the fields of what is printed, each with its type, and no other ones.
func TestJSONIsDescribed(t *testing.T) {
	tests := []struct {
		command string
		printed reflect.Type
	}{
		{"predict", reflect.TypeFor[workspace.Report]()},
		{"check", reflect.TypeFor[jsonCheck]()},
		{"why", reflect.TypeFor[workspace.Why]()},
		{"layers", reflect.TypeFor[workspace.Layers]()},
		{"reorder", reflect.TypeFor[jsonReordering]()},
		{"replay", reflect.TypeFor[replayReport]()},
	}
	for _, test := range tests {
		cmd, _, err := newRoot().Find([]string{test.command})
		if err != nil {
			t.Fatal(err)
		}
		_, help, ok := strings.Cut(cmd.Long, "--format json prints\n")
		if !ok {
			t.Errorf("the help of %s shows no JSON", test.command)
			continue
		}
		var shown any
		if err := json.NewDecoder(strings.NewReader(strings.ReplaceAll(help, "{...}",
			`"{...}"`))).Decode(&shown); err != nil {
			t.Errorf("the help of %s: %v", test.command, err)
			continue
		}
		for _, wrong := range misdescribed("", shown, test.printed, help) {
			t.Errorf("the help of %s: %s", test.command, wrong)
		}
	}
}

// misdescribed compares an example of JSON with the type that is printed. Fields that are seldom there may be explained
// below the example.
func misdescribed(at string, shown any, printed reflect.Type, help string) (wrong []string) {
	mismatch := func() []string {
		return []string{fmt.Sprintf("%s is shown as %v, but is printed as %s", at, shown, printed)}
	}
	for printed.Kind() == reflect.Pointer {
		printed = printed.Elem()
	}
	switch {
	case shown == "{...}":
		if printed.Kind() != reflect.Struct {
			return mismatch()
		}
		return nil
	case printed == reflect.TypeFor[time.Time]():
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(shown)); err != nil {
			return mismatch()
		}
		return nil
	}
	switch value := shown.(type) {
	case map[string]any:
		if printed.Kind() != reflect.Struct {
			return mismatch()
		}
		fields := jsonFields(printed)
		for name, field := range fields {
			if inner, ok := value[name]; ok {
				wrong = append(wrong, misdescribed(at+"."+name, inner, field, help)...)
			} else if !strings.Contains(help, fmt.Sprintf("%q: true where", name)) {
				wrong = append(wrong, fmt.Sprintf("%s.%s is not shown", at, name))
			}
		}
		for name := range value {
			if fields[name] == nil {
				wrong = append(wrong, fmt.Sprintf("%s.%s is shown and never printed", at, name))
			}
		}
		slices.Sort(wrong)
		return wrong
	case []any:
		if printed.Kind() != reflect.Slice || len(value) == 0 {
			return mismatch()
		}
		for _, item := range value {
			wrong = append(wrong, misdescribed(at+"[]", item, printed.Elem(), help)...)
		}
		return wrong
	case string:
		if printed.Kind() != reflect.String {
			return mismatch()
		}
	case bool:
		if printed.Kind() != reflect.Bool {
			return mismatch()
		}
	case float64:
		if k := printed.Kind(); k != reflect.Float64 && (k != reflect.Int && k != reflect.Int64 ||
			value != float64(int(value))) {
			return mismatch()
		}
	}
	return nil
}

// jsonFields are the types of a struct's fields by their names in JSON, with those of structs within.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if inner := f.Type; f.Anonymous && name == "" {
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			maps.Copy(fields, jsonFields(inner))
		} else if name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}

// What replay prints in a script has no other fields than those that are described.
func TestJSONOfReplay(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "script", "replay.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "json.golden" })
	var report replayReport
	decoder := json.NewDecoder(strings.NewReader(string(archive.Files[i].Data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err := printJSON(&again, report); err != nil {
		t.Fatal(err)
	}
	if again.String() != string(archive.Files[i].Data) {
		t.Error("what was printed is not read back as it was")
	}
}
