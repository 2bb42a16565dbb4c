package ci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/ci/config"
	"signalbox/ci/variable"
	limits "signalbox/internal/limit"
	"signalbox/models"
)

// remoteFile plays a server whose one file may change.
type remoteFile struct{ text string }

func (e *remoteFile) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(e.text))}, nil
}

func coordinatorWith(e *remoteFile) *Coordinator {
	return &Coordinator{compiled: newCompiled(), remote: &remote{after: time.After, client: &http.Client{Transport: e}}}
}

func readWith(t *testing.T, c *Coordinator, text string, inputs map[string]any, vars ...variable.Variable) *config.Config {
	t.Helper()
	f := &files{c: c, ctx: t.Context(), vars: vars, b: &builder{c: c, r: PipelineRequest{Project: &models.Project{FullPath: "a/b"}}}}
	r, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, inputs)
	if err != nil || r.Errors != nil {
		t.Fatal(err, r.Errors)
	}
	return r.Config
}

// shared says whether two configurations are of one reading.
func shared(a, b *config.Config) bool { return a.Jobs[0] == b.Jobs[0] }

// TestCompiledOnce: a configuration is read again only if something that it depends on is different.
func TestCompiledOnce(t *testing.T) {
	e := &remoteFile{"b: {script: one}"}
	c := coordinatorWith(e)
	const text = "include: https://example.com/b.yml\na: {script: x}"
	first := readWith(t, c, text, nil, variable.Variable{Key: "CHAT_INPUT", Value: "1"})
	if again := readWith(t, c, text, nil, variable.Variable{Key: "CHAT_INPUT", Value: "2"}); !shared(first, again) || len(again.Includes) != 1 {
		t.Error("the same is read twice")
	}
	e.text = "b: {script: two}"
	changed := readWith(t, c, text, nil)
	if shared(first, changed) || changed.Jobs[1].Script[0] != "two" && changed.Jobs[0].Script[0] != "two" {
		t.Errorf("what changed elsewhere is not seen: %+v", changed.Jobs)
	}
	if again := readWith(t, c, text, nil); !shared(changed, again) {
		t.Error("what changed is read again and again")
	}
	if other := readWith(t, c, text+"\n", nil); shared(other, changed) {
		t.Error("another text is taken for the same")
	}
}

func TestCompiledByRulesVariablesAndInputs(t *testing.T) {
	c := coordinatorWith(&remoteFile{"b: {script: one}"})
	env := func(v string) variable.Variable { return variable.Variable{Key: "WHERE", Value: v} }
	const ruled = "include: [{remote: 'https://example.com/b.yml', rules: [{if: '$WHERE == \"here\"'}]}]\na: {script: x}"
	if here, there := readWith(t, c, ruled, nil, env("here")), readWith(t, c, ruled, nil, env("there")); len(here.Jobs) != 2 || len(there.Jobs) != 1 {
		t.Errorf("%d and %d jobs", len(here.Jobs), len(there.Jobs))
	}
	const varied = "include: 'https://example.com/$WHERE.yml'\na: {script: x}"
	if one, two := readWith(t, c, varied, nil, env("x")), readWith(t, c, varied, nil, env("y")); shared(one, two) || two.Includes[0].Location.Name != "https://example.com/y.yml" {
		t.Errorf("%+v", two.Includes)
	}
	const given = "spec: {inputs: {what: {}}}\n---\na: {script: '$[[ inputs.what | expand_vars ]]'}"
	if j := readWith(t, c, given, map[string]any{"what": "$WHERE"}, env("x")).Jobs[0]; j.Script[0] != "x" {
		t.Errorf("%+v", j)
	}
	if j := readWith(t, c, given, map[string]any{"what": "$WHERE"}, env("y")).Jobs[0]; j.Script[0] != "y" {
		t.Errorf("%+v", j)
	}
	const plain = "spec: {inputs: {what: {}}}\n---\na: {script: '$[[ inputs.what ]]'}"
	for _, what := range []string{"1", "2", "1"} {
		if j := readWith(t, c, plain, map[string]any{"what": what}).Jobs[0]; j.Script[0] != what {
			t.Errorf("%s: %+v", what, j)
		}
	}
}

// TestCompiledForChat: what a command gives counts for its own reading, and many commands that give the same share one.
func TestCompiledForChat(t *testing.T) {
	c := coordinatorWith(nil)
	read := func(text string, inputs map[string]any) *config.Config {
		t.Helper()
		r := PipelineRequest{Project: &models.Project{FullPath: "a/b"}, Chat: ChatChoice{Configured: func([]config.InputSpec) (map[string]any, error) { return inputs, nil }}}
		f := &files{c: c, ctx: t.Context(), b: &builder{c: c, r: r}}
		found, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, nil)
		if err != nil || found.Errors != nil {
			t.Fatal(err, found.Errors)
		}
		return found.Config
	}
	const plain = "a: {script: x}"
	if !shared(read(plain, nil), read(plain, map[string]any{"what": "1"})) {
		t.Error("a configuration that takes nothing is read twice")
	}
	const takes = "spec: {inputs: {what: {default: none}}}\n---\na: {script: '$[[ inputs.what ]]'}"
	for _, what := range []string{"1", "2", "1"} {
		one := read(takes, map[string]any{"what": what})
		if one.Jobs[0].Script[0] != what || !shared(one, read(takes, map[string]any{"what": what})) {
			t.Errorf("%s: %+v", what, one.Jobs[0])
		}
	}
	refuse := fmt.Errorf("no")
	r := PipelineRequest{Project: &models.Project{FullPath: "a/b"}, Chat: ChatChoice{Configured: func([]config.InputSpec) (map[string]any, error) { return nil, refuse }}}
	f := &files{c: c, ctx: t.Context(), b: &builder{c: c, r: r}}
	if _, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte(takes)}, nil); err != refuse {
		t.Errorf("the refusal of a command is lost: %v", err)
	}
}

// slowFile plays a server that answers once it may.
type slowFile struct{ may chan struct{} }

func (s *slowFile) RoundTrip(*http.Request) (*http.Response, error) {
	<-s.may
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("b: {script: one}"))}, nil
}

// TestCompiledWhileOthersWait: who reads a configuration for all gets its place back, although everybody who waits for that
// reading came meanwhile.
func TestCompiledWhileOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slowFile{make(chan struct{})}
		c := &Coordinator{compiled: newCompiled(), creations: limits.NewPlaces(1, 1), remote: &remote{after: time.After, client: &http.Client{Transport: server}}}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				b := &builder{c: c, r: PipelineRequest{Project: &models.Project{FullPath: "a/b"}}}
				if err := b.enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				defer func() { b.give() }()
				f := &files{c: c, ctx: t.Context(), b: b}
				r, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte("include: https://example.com/b.yml")}, nil)
				if err != nil || r.Errors != nil {
					t.Errorf("%v %v", err, r.Errors)
				}
			})
			synctest.Wait()
		}
		close(server.may)
		wg.Wait()
	})
}

// TestCompiledIsBounded: neither many configurations nor many who ask at once fill the memory.
func TestCompiledIsBounded(t *testing.T) {
	c := coordinatorWith(nil)
	for i := range 3 * mostCompiled {
		readWith(t, c, fmt.Sprintf("a: {script: '%d'}", i), nil)
	}
	if n := len(c.compiled.known); n != mostCompiled || len(c.compiled.order) != n {
		t.Errorf("%d are kept, %d in order", n, len(c.compiled.order))
	}
	for i := range 8 {
		readWith(t, c, fmt.Sprintf("a: {script: x}\n#%d%s", i, strings.Repeat("-", mostCompiledText/4)), nil)
	}
	if c.compiled.size > mostCompiledText || len(c.compiled.known) > 4 {
		t.Errorf("%d bytes in %d", c.compiled.size, len(c.compiled.known))
	}
	all := make([]*config.Config, 16)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = readWith(t, c, "all: {script: x}", nil) })
	}
	wg.Wait()
	for _, one := range all {
		if !shared(one, all[0]) {
			t.Error("it was read more than once")
		}
	}
}

// TestAReadingLeavesPlacesToOtherProjects: while all that a project reads takes its time, others read theirs.
func TestAReadingLeavesPlacesToOtherProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinatorWith(nil)
		c.compiled.cores, c.creations = limits.NewPlaces(2, 1), limits.NewPlaces(2, 1)
		mine, err := c.compiled.cores.Take(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		read := func(project int64, text string) error {
			b := &builder{c: c, r: PipelineRequest{Project: &models.Project{ID: project, FullPath: "a/b"}}}
			if err := b.enter(t.Context()); err != nil {
				return err
			}
			defer func() { b.give() }()
			f := &files{c: c, ctx: t.Context(), b: b}
			r, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, nil)
			if err == nil && r.Errors != nil {
				err = r.Errors[0]
			}
			return err
		}
		var waiting atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				waiting.Add(1)
				if err := read(1, fmt.Sprintf("a: {script: '%d'}", i)); err != nil {
					t.Error(err) // also not for the time that it waited
				}
				waiting.Add(-1)
			})
		}
		synctest.Wait()
		for i := range 5 {
			if err := read(2, fmt.Sprintf("b: {script: '%d'}", i)); err != nil || waiting.Load() != 20 {
				t.Errorf("%v while %d wait", err, waiting.Load())
			}
		}
		time.Sleep(2 * includesWithin)
		mine()
		wg.Wait()
	})
}

// TestNobodyWaitsWithACore for the place of a pipeline: others read their configurations meanwhile.
func TestNobodyWaitsWithACore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slowFile{make(chan struct{})}
		close(server.may)
		c := coordinatorWith(nil)
		c.compiled.cores, c.creations = limits.NewPlaces(1, 1), limits.NewPlaces(3, 1)
		c.remote = &remote{after: time.After, client: &http.Client{Transport: server}}
		read := func(project int64, text string) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			b := &builder{c: c, r: PipelineRequest{Project: &models.Project{ID: project, FullPath: "a/b"}}}
			if err := b.enter(ctx); err != nil {
				return err
			}
			defer func() { b.give() }()
			f := &files{c: c, ctx: ctx, b: b}
			r, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, nil)
			if err == nil && r.Errors != nil {
				err = r.Errors[0]
			}
			return err
		}
		core, err := c.compiled.cores.Take(t.Context(), "elsewhere")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i, text := range []string{"a: {script: x}", "include: https://example.com/b.yml"} {
			wg.Go(func() { // it waits for a core, and then for its place
				if err := read(int64(i+1), text); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		var places []func()
		for _, project := range []string{"1", "2"} {
			give, err := c.creations.Take(t.Context(), project)
			if err != nil {
				t.Fatal(err)
			}
			places = append(places, give)
		}
		core()
		synctest.Wait()
		if err := read(3, "c: {script: x}"); err != nil {
			t.Errorf("another project's configuration is not read: %v", err)
		}
		for _, give := range places {
			give()
		}
		wg.Wait()
	})
}

// TestACostlyReadingEnds, and says why; so does one that nobody waits for any more.
func TestACostlyReadingEnds(t *testing.T) {
	c := coordinatorWith(nil)
	f := &files{c: c, ctx: t.Context(), b: &builder{c: c, r: PipelineRequest{Project: &models.Project{FullPath: "a/b"}}}}
	l := &listener{f: f, since: time.Now(), spent: readWithin}
	if err := l.stopped(); err != errCostly {
		t.Error(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	f.ctx = gone
	if _, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte("a: {script: x}")}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := c.compiled.cores.Wanted("0"); n != 0 {
		t.Errorf("%d places are kept", n)
	}
}
