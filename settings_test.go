package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"testing"
)

// storedSettings are the structs whose fields hold what is set, by the file that declares them.
var storedSettings = map[string][]string{
	"models/projects.go": {"Project", "ProjectSettings"},
	"models/webhooks.go": {"Webhook"},
	"ci/settings.go":     {"InstanceSettings"},
	"ci/limits.go":       {"Limits"},
}

// onlyKept are settings that are kept and given back, with why nothing acts on them.
var onlyKept = map[string]string{
	"Project.MirrorURL":                     "where a mirrored repository comes from is for people",
	"Project.LastActivityAt":                "lists are sorted by it",
	"ProjectSettings.Topics":                "lists are searched by them",
	"ProjectSettings.ForkPipelines":         "there are no forks",
	"ProjectSettings.MergeIfPipelinePassed": "merge requests are merged elsewhere",
	"ProjectSettings.AllowMergeOnSkipped":   "merge requests are merged elsewhere",
	"InstanceSettings.NoNewGroups":          "the API gives it to the users that it makes",
}

// TestEverySettingIsRead outside of what takes and tells it: a setting that is stored and echoed only is a promise with
// nothing behind it.
func TestEverySettingIsRead(t *testing.T) {
	read := map[string]bool{}
	for _, src := range sources(t) {
		if within(src.folder, "api") || within(src.folder, "models") || within(src.folder, "web") {
			continue
		}
		ast.Inspect(src.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl: // what checks a setting, or fills it in, does not act on it
				return n.Name.Name != "SetInstanceSettings" && n.Name.Name != "filled" && n.Name.Name != "check"
			case *ast.SelectorExpr:
				read[n.Sel.Name] = true
			}
			return true
		})
	}
	left := maps.Clone(onlyKept)
	for path, names := range storedSettings {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			fields := fieldsOf(f, name)
			if len(fields) == 0 {
				t.Errorf("%s declares no %s", path, name)
			}
			for _, field := range fields {
				full := name + "." + field
				_, kept := onlyKept[full]
				if read[field] == kept {
					t.Errorf("%s: read outside api, web and models: %v, in the list of what is only kept: %v", full, read[field], kept)
				}
				delete(left, full)
			}
		}
	}
	for full := range left {
		t.Errorf("%s is no setting", full)
	}
}

// fieldsOf lists the fields of a struct that a file declares.
func fieldsOf(f *ast.File, name string) (fields []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				for _, id := range field.Names {
					fields = append(fields, id.Name)
				}
			}
		}
		return false
	})
	return fields
}
