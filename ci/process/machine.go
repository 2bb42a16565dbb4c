// Package process holds the moves of jobs, stages and pipelines: the one state machine, the composite
// statuses, and what follows when a job moves. It decides on a snapshot and returns what to change; it
// knows no database and no clock (facts: pipeline-semantics section 4).
package process

import (
	"sort"

	s "signalbox/models/enum"
)

// Event is something that may move a job.
type Event string

// The events of a job.
const (
	Enqueue     Event = "enqueue"     // it may run now
	Wait        Event = "wait"        // it may run once its resource group is free
	Acquire     Event = "acquire"     // its resource group is free
	Actionize   Event = "actionize"   // it waits to be played
	Schedule    Event = "schedule"    // it waits for its time
	Unschedule  Event = "unschedule"  // it waits to be played instead
	Skip        Event = "skip"        // it will not run
	Process     Event = "process"     // a skipped or manual job is considered anew
	Run         Event = "run"         // a runner accepted it
	Succeed     Event = "success"     // its runner says that it succeeded
	Drop        Event = "drop"        // it failed, whoever says so
	Cancel      Event = "cancel"      // somebody stopped it
	StartCancel Event = "startCancel" // somebody stopped it; its runner may still clean up
)

// moves is the state machine: for each event, where a job in each status goes. What is not listed does not
// happen. Nothing else in signalbox gives a job a status.
var moves = map[Event]map[s.Status]s.Status{
	Enqueue:    to(s.Pending, s.Created, s.Skipped, s.Manual, s.Scheduled),
	Wait:       to(s.WaitingForResource, s.Created, s.Skipped, s.Manual, s.Scheduled),
	Acquire:    to(s.Pending, s.WaitingForResource),
	Actionize:  to(s.Manual, s.Created),
	Schedule:   to(s.Scheduled, s.Created),
	Unschedule: to(s.Manual, s.Scheduled),
	Skip:       to(s.Skipped, s.Created, s.WaitingForResource, s.Preparing, s.Pending),
	Process:    to(s.Created, s.Skipped, s.Manual),
	Run:        to(s.Running, s.Pending),
	Succeed: with(to(s.Success, s.Created, s.WaitingForResource, s.Preparing, s.WaitingForCallback, s.Pending, s.Running),
		s.Canceling, s.Canceled),
	Drop: with(to(s.Failed, s.Created, s.WaitingForResource, s.Preparing, s.WaitingForCallback, s.Pending, s.Running,
		s.Manual, s.Scheduled), s.Canceling, s.Canceled),
	Cancel: with(to(s.Canceled, s.Created, s.WaitingForResource, s.Preparing, s.WaitingForCallback, s.Pending,
		s.Running, s.Manual, s.Scheduled), s.Canceling, s.Canceled),
	StartCancel: to(s.Canceling, s.Running),
}

func to(target s.Status, from ...s.Status) map[s.Status]s.Status {
	out := make(map[s.Status]s.Status, len(from))
	for _, f := range from {
		out[f] = target
	}
	return out
}

func with(m map[s.Status]s.Status, from, target s.Status) map[s.Status]s.Status {
	m[from] = target
	return m
}

// Move says where an event takes a job in a status; false if it does not move it.
func Move(from s.Status, e Event) (s.Status, bool) {
	target, ok := moves[e][from]
	return target, ok
}

// Transition is one row of the state machine.
type Transition struct {
	Event    Event
	From, To s.Status
}

// Transitions lists the whole state machine, for the documentation and its test.
func Transitions() []Transition { return transitions(moves) }

func transitions(table map[Event]map[s.Status]s.Status) []Transition {
	var out []Transition
	for e, m := range table {
		for f, t := range m {
			out = append(out, Transition{e, f, t})
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.Event != b.Event {
			return a.Event < b.Event
		}
		return a.From < b.From
	})
	return out
}
