package chatops

import (
	"context"
	"errors"
	"sync"
	"time"

	"signalbox/internal/secret"
)

// callKind is a kind of call of a chat: chats bound each on its own.
type callKind string

// The kinds of calls.
const (
	callRespond callKind = "respond"
	callPost    callKind = "post"
	callUpdate  callKind = "update"
	callWhisper callKind = "whisper"
	callUpload  callKind = "upload"
)

// PaceEvery and PaceBurst are how often a channel gets a result: one now and then, and several at once after a while without.
const (
	PaceEvery = time.Second
	PaceBurst = 5
)

// Pace of what goes to one channel. Chats take about a message a second there, and some more at once; what only says how far a
// job is comes less often, and never before what is a result.
const (
	resultGap   = PaceEvery
	resultBurst = PaceBurst
	editGap     = 2500 * time.Millisecond
	editBurst   = 2
	// The whole workspace has more: Slack takes some fifty edits a minute.
	workspaceEdits = 1500 * time.Millisecond
	maxPlaces      = 10_000
)

// Counter counts what may be done only so often, by all nodes together if they share it.
type Counter interface {
	Allow(ctx context.Context, key string) bool
}

// budget is what all messages to a chat share, by workspace and channel.
type budget struct {
	now    func() time.Time
	shared Counter // of the messages of all nodes to a channel; nil: there is one node

	mu      sync.Mutex
	stopped map[string]time.Time // by workspace and kind of call: until when the chat asks to wait
	lines   map[string]*line
}

// line is a queue in time: who is in it is told when it is its turn.
type line struct {
	gap   time.Duration
	burst int
	free  time.Time            // from when there is a place, were there no burst
	turns map[string]time.Time // by who waits
}

func newBudget(now func() time.Time, shared Counter) *budget {
	return &budget{now: now, shared: shared, stopped: map[string]time.Time{}, lines: map[string]*line{}}
}

// workspace names what a chat counts calls by: one bot, which is at home in one workspace, or that workspace.
func (t Target) workspace() string {
	if t.Bot != "" {
		return secret.Fingerprint("bot", t.Bot)
	}
	return secret.Fingerprint("workspace", t.Server, t.Workspace, t.App)
}

// call calls a chat, unless that asked to wait with calls of the kind.
func (b *budget) call(to Target, kind callKind, do func() error) error {
	key := to.workspace() + " " + string(kind)
	if wait := b.waits(key); wait > 0 {
		return &Busy{After: wait, Reason: "the chat asked to wait", Known: true}
	}
	err := do()
	var busy *Busy
	if errors.As(err, &busy) && busy.After > 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.trim()
		if until := b.now().Add(busy.After); until.After(b.stopped[key]) {
			b.stopped[key] = until
		}
	}
	return err
}

func (b *budget) waits(key string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := b.stopped[key].Sub(b.now())
	if wait <= 0 {
		delete(b.stopped, key)
	}
	return wait
}

// turn says when a message may go to a channel; zero is now. Who is told a time comes back then, and has its place. A result waits for
// other results alone; an edit that says how far a job is waits for them too.
func (b *budget) turn(ctx context.Context, to Target, who string, edit bool) time.Time {
	b.mu.Lock()
	now, channel := b.now(), to.workspace()+" "+to.Channel
	results := b.line(channel, resultGap, resultBurst)
	at := time.Time{}
	if edit {
		if results.free.After(now.Add(resultGap)) { // results wait
			at = results.free.Add(editGap)
		} else if at = b.line(channel+" edits", editGap, editBurst).turn(now, who); at.IsZero() {
			at = b.line(to.workspace()+" edits", workspaceEdits, 2*resultBurst).turn(now, who)
		}
	} else {
		at = results.turn(now, who)
	}
	b.mu.Unlock()
	if !at.IsZero() || b.shared == nil {
		return at
	}
	gap := resultGap
	if edit {
		gap, channel = editGap, channel+" edits"
	}
	if !b.shared.Allow(ctx, "chat "+channel) {
		return now.Add(gap)
	}
	return at
}

func (b *budget) line(key string, gap time.Duration, burst int) *line {
	l := b.lines[key]
	if l == nil {
		b.trim()
		l = &line{gap: gap, burst: burst, turns: map[string]time.Time{}}
		b.lines[key] = l
	}
	return l
}

// trim bounds the memory; what was counted is counted anew.
func (b *budget) trim() {
	if len(b.lines) >= maxPlaces {
		clear(b.lines)
	}
	if len(b.stopped) >= maxPlaces {
		clear(b.stopped)
	}
}

// late is how long a place is kept for whoever does not come.
const late = time.Minute

// turn is when it is somebody's turn; zero is now.
func (l *line) turn(now time.Time, who string) time.Time {
	if at, waits := l.turns[who]; waits {
		if at.After(now) {
			return at
		}
		delete(l.turns, who)
		return time.Time{}
	}
	if len(l.turns) > 0 && len(l.turns)%64 == 0 {
		for other, at := range l.turns {
			if now.Sub(at) > late {
				delete(l.turns, other)
			}
		}
	}
	if earliest := now.Add(-time.Duration(l.burst-1) * l.gap); l.free.Before(earliest) {
		l.free = earliest
	}
	at := l.free
	l.free = l.free.Add(l.gap)
	if !at.After(now) {
		return time.Time{}
	}
	l.turns[who] = at
	return at
}
