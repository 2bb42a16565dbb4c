package ci

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"

	"signalbox/ci/config"
	limits "signalbox/internal/limit"
)

// compiled keeps configurations that were read, so that many commands on one commit read it once. One is used again only for
// the same text with the same inputs at the same commit, and after all that it asked of repositories, rules and a chat command
// was asked anew and answered the same: who may read what, and what stands there, is as it is now. Configurations with mistakes, and those
// that variables had a part in, are read each time.
type compiled struct {
	mu    sync.Mutex
	known map[compiledKey]*compiledConfig
	order []compiledKey  // the one that was used last is last
	size  int            // bytes of text
	cores *limits.Places // how many configurations are read at a time, one a project
}

type compiledKey [sha256.Size]byte

// compiledConfig is made by whoever asks first; the others wait.
type compiledConfig struct {
	made    chan struct{}
	result  *config.Result // nil: it must be read each time
	asked   []question
	size    int
	counted bool // in the size of all
}

// Bounds of what is kept. A configuration takes some ten times its text.
const (
	mostCompiled     = 64
	mostCompiledText = 2 << 20
)

// newCompiled leaves one core to all that is not the reading of configurations.
func newCompiled() *compiled {
	return &compiled{known: map[compiledKey]*compiledConfig{}, cores: limits.NewPlaces(runtime.GOMAXPROCS(0)-1, 1)}
}

// keyOf is what a configuration is made of besides what it asks; false if that cannot be told.
func keyOf(f config.File, o config.Options) (key compiledKey, ok bool) {
	raw, err := json.Marshal([]any{f.Name, f.Content, o.Inputs, o.Inputs == nil, o.Given == nil, o.Project, o.SHA, o.Child, o.MaxIncludes})
	return sha256.Sum256(raw), err == nil
}

// question is something that a configuration asked, with the answer.
type question struct {
	from    config.Context
	include *config.Location
	pattern string
	rule    *config.Rule
	inputs  []config.InputSpec
	answer  any
}

// fetchedFile is the answer to an include.
type fetchedFile struct {
	sum [sha256.Size]byte
	at  config.Context
}

// ask gives the answer of now.
func (q question) ask(f *files) (any, error) {
	switch {
	case q.include != nil:
		content, at, err := f.Fetch(q.from, *q.include)
		return fetchedFile{sha256.Sum256(content), at}, err
	case q.rule != nil:
		return f.includeRule(q.from, *q.rule)
	case q.inputs != nil:
		return f.b.r.Chat.Configured(q.inputs)
	}
	return f.Match(q.from, q.pattern)
}

// holds says whether all answers are still the same.
func (c *compiledConfig) holds(f *files) bool {
	for _, q := range c.asked {
		if now, err := q.ask(f); err != nil || !reflect.DeepEqual(now, q.answer) {
			return false
		}
	}
	return true
}

// listener passes questions on and keeps them. While it waits for a file others may read theirs on its core.
type listener struct {
	f     *files
	asked []question
	size  int
	give  func() // gives back the core
	since time.Time
	spent time.Duration // of the core, before since
}

// readWithin is how long the reading of one configuration may have a core. The largest that are allowed take a second.
const readWithin = 5 * time.Second

var errCostly = fmt.Errorf("the configuration takes longer than %s to be read", readWithin)

// enter waits for a core.
func (l *listener) enter() (err error) {
	l.f.unclocked(func(ctx context.Context) { l.give, err = l.f.c.compiled.cores.Take(ctx, placeKey(l.f.b.r.Project)) })
	l.since = time.Now()
	return err
}

func (l *listener) leave() {
	l.give()
	l.spent += time.Since(l.since)
}

// stopped ends a reading that nobody waits for any more, or that takes too long.
func (l *listener) stopped() error {
	if l.f.ctx.Err() != nil {
		return context.Cause(l.f.ctx)
	}
	if l.spent+time.Since(l.since) > readWithin {
		return errCostly
	}
	return nil
}

func (l *listener) Fetch(from config.Context, at config.Location) (content []byte, where config.Context, err error) {
	l.leave()
	l.f.unclocked(l.f.b.enterAgain)
	content, where, err = l.f.Fetch(from, at)
	l.f.b.leave()
	if entered := l.enter(); entered != nil {
		return nil, from, entered
	}
	l.size += len(content)
	l.asked = append(l.asked, question{from: from, include: &at, answer: fetchedFile{sha256.Sum256(content), where}})
	return content, where, err
}

func (l *listener) Match(from config.Context, pattern string) ([]string, error) {
	found, err := l.f.Match(from, pattern)
	l.asked = append(l.asked, question{from: from, pattern: pattern, answer: found})
	return slices.Clone(found), err
}

func (l *listener) rule(from config.Context, r config.Rule) (bool, error) {
	holds, err := l.f.includeRule(from, r)
	l.asked = append(l.asked, question{from: from, rule: &r, answer: holds})
	return holds, err
}

func (l *listener) given(specs []config.InputSpec) (map[string]any, error) {
	values, err := l.f.b.r.Chat.Configured(specs)
	l.asked = append(l.asked, question{inputs: specs, answer: values})
	return values, err
}

// compile reads a configuration afresh.
func (f *files) compile(file config.File, o config.Options) (*config.Result, *listener, error) {
	l := &listener{f: f}
	o.Resolver, o.Rules, o.Stopped = l, l.rule, l.stopped
	if o.Given != nil {
		o.Given = l.given
	}
	if err := l.enter(); err != nil {
		return &config.Result{}, l, err
	}
	defer l.leave()
	r, err := config.LoadWith(file, o)
	return r, l, err
}

// compiled reads a configuration, or gives one that was read before.
func (f *files) compiled(file config.File, inputs map[string]any) (r *config.Result, err error) {
	o, cache := f.options(inputs), f.c.compiled
	key, ok := keyOf(file, o)
	for ok {
		entry, mine := cache.entry(key)
		if mine {
			f.onCore(func() { r, err = f.keep(key, entry, file, o) })
			return r, err
		}
		if err := f.await(entry); err != nil {
			return &config.Result{}, err
		}
		if entry.result == nil {
			break
		}
		if entry.holds(f) {
			return entry.copy(), nil
		}
		cache.forget(key, entry)
	}
	f.onCore(func() { r, _, err = f.compile(file, o) })
	return r, err
}

// await waits until an entry is made, while another pipeline may be: that may be its maker's.
func (f *files) await(entry *compiledConfig) (err error) {
	select {
	case <-entry.made:
		return nil
	default:
	}
	f.wait(func(ctx context.Context) {
		select {
		case <-entry.made:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	})
	return err
}

func (f *files) keep(key compiledKey, entry *compiledConfig, file config.File, o config.Options) (*config.Result, error) {
	defer f.c.compiled.made(key, entry)
	r, l, err := f.compile(file, o)
	if err != nil || r.Errors != nil || r.Varied {
		return r, err
	}
	entry.result, entry.asked, entry.size = r, l.asked, l.size+len(file.Content)
	return entry.copy(), nil
}

// copy is a result of which the parts may be changed that tell people of it; the jobs are everybody's.
func (c *compiledConfig) copy() *config.Result {
	out, conf := *c.result, *c.result.Config
	conf.Includes = slices.Clone(conf.Includes)
	out.Config, out.Warnings = &conf, nil
	for _, w := range c.result.Warnings {
		one := *w
		one.Via = slices.Clone(w.Via)
		out.Warnings = append(out.Warnings, &one)
	}
	return &out
}

// entry finds what is known of a key; mine says that the caller must make it.
func (c *compiled) entry(key compiledKey) (entry *compiledConfig, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry = c.known[key]; entry == nil {
		entry, mine = &compiledConfig{made: make(chan struct{})}, true
		c.known[key] = entry
	} else {
		c.order = slices.DeleteFunc(c.order, func(k compiledKey) bool { return k == key })
	}
	c.order = append(c.order, key)
	return entry, mine
}

// made lets those go on who wait for an entry, and drops what was not used for longest.
func (c *compiled) made(key compiledKey, entry *compiledConfig) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(entry.made)
	if c.known[key] != entry {
		return
	}
	if entry.result == nil {
		c.drop(key)
		return
	}
	c.size, entry.counted = c.size+entry.size, true
	for len(c.order) > mostCompiled || c.size > mostCompiledText {
		c.drop(c.order[0])
	}
}

func (c *compiled) forget(key compiledKey, entry *compiledConfig) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[key] == entry {
		c.drop(key)
	}
}

func (c *compiled) drop(key compiledKey) {
	entry := c.known[key]
	delete(c.known, key)
	c.order = slices.DeleteFunc(c.order, func(k compiledKey) bool { return k == key })
	if entry.counted {
		c.size -= entry.size
	}
}
