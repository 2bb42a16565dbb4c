package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport says, for each folder, which folders of ours it may import; the folder itself and its own
// sub-folders stand without saying. The longest matching name counts. docs/architecture.md draws it.
var mayImport = map[string][]string{
	".":                       {"app"},
	"app":                     {"web", "api", "chatops", "runnerproto", "ci", "models", "internal"},
	"bench":                   {"app", "runnerproto", "ci", "models", "internal"},
	"web":                     {"chatops", "ci", "models", "internal"},
	"api":                     {"chatops", "ci", "models", "internal"},
	"api/git":                 {"ci", "models", "internal"},
	"chatops":                 {"ci", "models", "internal"},
	"chatops/slack":           {"chatops", "ci", "models", "internal"},
	"chatops/mattermost":      {"chatops", "ci", "models", "internal"},
	"chatops/discord":         {"chatops", "ci", "models", "internal"},
	"runnerproto":             {},
	"runnerproto/server":      {"runnerproto", "ci", "models", "internal"},
	"runnerproto/client":      {"runnerproto"},
	"runnerproto/shellrunner": {"runnerproto", "internal"},
	"ci":                      {"models", "internal"},
	"ci/config":               {"models/enum", "ci/expression", "ci/variable"},
	"ci/expression":           {"models/enum"},
	"ci/variable":             {"models/enum"},
	"ci/plan":                 {"models/enum", "ci/config", "ci/expression", "ci/variable"},
	"ci/process":              {"models/enum"},
	"ci/rubyregexp":           {"ci/expression"},
	"ci/access":               {"models", "internal"},
	"ci/tasks":                {"models", "internal"},
	"ci/trace":                {"models", "internal"},
	"ci/artifact":             {"models", "internal"},
	"models":                  {"internal"},
	"models/enum":             {},
	"internal":                {},
}

// pure folders know no database, clock, network or logger.
var pure = []string{"ci/config", "ci/expression", "ci/variable", "ci/plan", "ci/process", "models/enum", "internal/terminal"}

// pureLibraries are those that pure folders may use: they only compute.
var pureLibraries = []string{"go.yaml.in/yaml", "golang.org/x/text"}

var impure = []string{"net", "net/http", "database/sql", "log", "log/slog", "os", "os/exec", "context", "math/rand", "crypto/rand"}

// edges never import one another.
var edges = []string{"web", "api", "api/git", "runnerproto/server", "chatops/slack", "chatops/mattermost", "chatops/discord"}

type source struct {
	path, folder string
	file         *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution|parser.ParseComments)
		out = append(out, source{path, filepath.ToSlash(filepath.Dir(path)), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("found only %d files", len(out))
	}
	return out
}

func (s source) imports() []string {
	var out []string
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		out = append(out, p)
	}
	return out
}

func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

// rule finds the longest name in mayImport that holds the folder.
func rule(folder string) string {
	for f := folder; ; f = filepath.ToSlash(filepath.Dir(f)) {
		if _, ok := mayImport[f]; ok || f == "." {
			return f
		}
	}
}

func TestImportsPointOneWay(t *testing.T) {
	for _, s := range sources(t) {
		name := rule(s.folder)
		for _, p := range s.imports() {
			ours, ok := strings.CutPrefix(p, "signalbox/")
			if !ok {
				continue
			}
			allowed := within(ours, name) && name != "." || ours == s.folder
			for _, a := range mayImport[name] {
				allowed = allowed || within(ours, a)
			}
			if name == "api" && within(ours, "api/git") || name == "chatops" && rule(ours) != "chatops" && within(ours, "chatops") ||
				name == "runnerproto" && ours != "runnerproto" {
				allowed = false
			}
			if !allowed {
				t.Errorf("%s imports %s: %s may import only %v", s.path, ours, name, mayImport[name])
			}
			for _, e := range edges {
				if rule(s.folder) != e && rule(ours) == e && contains(edges, rule(s.folder)) {
					t.Errorf("%s: an edge imports the edge %s", s.path, ours)
				}
			}
		}
	}
}

func TestPurePackagesStayPure(t *testing.T) {
	for _, s := range sources(t) {
		for _, folder := range pure {
			if !within(s.folder, folder) {
				continue
			}
			for _, p := range s.imports() {
				if contains(impure, p) {
					t.Errorf("%s imports %s", s.path, p)
				}
				if strings.Contains(strings.Split(p, "/")[0], ".") && !slices.ContainsFunc(pureLibraries, func(l string) bool { return within(p, l) }) {
					t.Errorf("%s imports %s", s.path, p)
				}
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && sel.Sel.Name == "Now" {
						t.Errorf("%s reads the clock", s.path)
					}
				}
				return true
			})
		}
	}
}

func TestOnlyModelsKnowsTheObjectMapper(t *testing.T) {
	for _, s := range sources(t) {
		mapper := map[string]bool{}
		for _, p := range s.imports() {
			if !strings.HasPrefix(p, "gorm.io/") && !strings.HasPrefix(p, "github.com/glebarez/") {
				continue
			}
			if s.folder != "models" {
				t.Errorf("%s imports %s", s.path, p)
			}
			mapper[filepath.Base(p)] = true
		}
		for _, d := range s.file.Decls {
			if exported(d) {
				checkExposed(t, s, d, mapper)
			}
		}
	}
}

func exported(d ast.Decl) bool {
	if f, ok := d.(*ast.FuncDecl); ok {
		return f.Name.IsExported()
	}
	return true
}

// checkExposed reports the mapper's types in signatures and in exported fields.
func checkExposed(t *testing.T, s source, d ast.Decl, mapper map[string]bool) {
	look := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && mapper[x.Name] {
					t.Errorf("%s exposes %s.%s", s.path, x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		look(d.Type)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			ts, ok := spec.(*ast.TypeSpec)
			if !ok || !ts.Name.IsExported() {
				continue
			}
			st, ok := ts.Type.(*ast.StructType)
			if !ok {
				look(ts.Type)
				continue
			}
			for _, f := range st.Fields.List {
				if len(f.Names) == 0 || f.Names[0].IsExported() {
					look(f.Type)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.folder] = documented[s.folder] || s.file.Doc != nil
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", folder)
		}
	}
}

// TestOneReaderOfEscapeSequences: patterns of our own know some sequences and let others through. The markers of sections end
// with one that runners write letter by letter.
func TestOneReaderOfEscapeSequences(t *testing.T) {
	for _, s := range sources(t) {
		if within(s.folder, "internal/terminal") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			text, isText := call.Args[0].(*ast.BasicLit)
			if ok && isText && strings.Contains(f.Sel.Name, "Compile") && strings.Contains(strings.ReplaceAll(text.Value, `\r\x1b\[0K`, ""), `\x1b`) {
				t.Errorf("%s reads escape sequences with a pattern of its own; internal/terminal does", s.path)
			}
			return true
		})
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// faces are the functions and tables that say what a kind of fault means to whoever asked: a status, a page, a reply. A kind
// that one of them does not know would be answered as an error of the server's own.
var faces = map[string]string{
	"internal/fault/fault.go":     "sentence",
	"internal/httpapi/httpapi.go": "statuses",
	"api/git/git.go":              "statusOf",
	"web/web.go":                  "fail",
	"chatops/refusal.go":          "passing",
}

// TestEveryFaceKnowsEveryKindOfFault reads the kinds from their declaration.
func TestEveryFaceKnowsEveryKindOfFault(t *testing.T) {
	kinds := map[string]bool{}
	parsed := map[string]*ast.File{}
	for _, s := range sources(t) {
		parsed[s.path] = s.file
		if s.path != "internal/fault/fault.go" {
			continue
		}
		for _, d := range s.file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, spec := range g.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						kinds[name.Name] = true
					}
				}
			}
		}
	}
	if len(kinds) < 10 {
		t.Fatalf("only %d kinds were found", len(kinds))
	}
	for file, name := range faces {
		known := map[string]bool{}
		for _, d := range parsed[file].Decls {
			if !declares(d, name) {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && kinds[id.Name] {
					known[id.Name] = true
				}
				return true
			})
		}
		for k := range kinds {
			if !known[k] && !(k == "Internal" && file == "internal/httpapi/httpapi.go") { // what Render does with the rest
				t.Errorf("%s in %s does not know fault.%s", name, file, k)
			}
		}
	}
}

// declares says whether a declaration is of a function or a variable of this name.
func declares(d ast.Decl, name string) bool {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Name.Name == name
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && v.Names[0].Name == name {
				return true
			}
		}
	}
	return false
}

// TestTheCoreKnowsNoStatus: messages are sentences for people; faces that speak HTTP add the status (httpapi.Text).
func TestTheCoreKnowsNoStatus(t *testing.T) {
	status := regexp.MustCompile(`^"[45][0-9][0-9] [A-Z]`)
	for _, s := range sources(t) {
		if !within(s.folder, "ci") && !within(s.folder, "models") && !within(s.folder, "chatops") && s.folder != "internal/fault" && s.folder != "internal/gitrepo" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && status.MatchString(text.Value) {
				t.Errorf("%s writes a status into a message: %s", s.path, text.Value)
			}
			return true
		})
	}
}
