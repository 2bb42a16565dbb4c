package process

import s "signalbox/models/enum"

// The events that only a bridge gets: it shows what becomes of the pipeline that it started.
const (
	Reopen Event = "reopen" // that pipeline goes on after it had ended or stood
	Block  Event = "block"  // that pipeline waits for somebody
)

// The strategies of `trigger:strategy`. Without one a bridge has succeeded once its pipeline is made.
const (
	Depend = "depend"
	Mirror = "mirror"
)

// NeedsPipeline is how a bridge follows a pipeline of another project that it did not start: as with mirror, and it runs
// once that one does.
const NeedsPipeline = "needs:pipeline"

// bridgeMoves are the moves that bridges have beside those of jobs. Their ends are not final, because the pipeline that
// they show can be retried.
var bridgeMoves = map[Event]map[s.Status]s.Status{
	Reopen: to(s.Pending, s.Success, s.Failed, s.Canceled, s.Skipped, s.Manual),
	Block:  to(s.Manual, s.Pending, s.Running),
	Skip:   to(s.Skipped, s.Running),
}

// MoveBridge says where an event takes a bridge in a status; false if it does not move it.
func MoveBridge(from s.Status, e Event) (s.Status, bool) {
	if target, ok := bridgeMoves[e][from]; ok {
		return target, true
	}
	return Move(from, e)
}

// BridgeTransitions lists the moves that only bridges have, for the documentation and its test.
func BridgeTransitions() []Transition { return transitions(bridgeMoves) }

// Follow lists the events that bring a bridge in line with the pipeline that it started, or that it shows (facts:
// pipeline-semantics 4.15).
func Follow(strategy string, bridge, shown s.Status) []Event {
	ends := map[s.Status]Event{s.Success: Succeed, s.Canceled: Cancel, s.Failed: Drop, s.Skipped: Drop}
	switch strategy {
	case Depend:
	case Mirror, NeedsPipeline:
		ends[s.Skipped], ends[s.Manual] = Skip, Block
	default:
		return nil
	}
	stands := Stands(bridge)
	event, ended := ends[shown]
	runs := strategy == NeedsPipeline && shown == s.Running
	switch target, _ := MoveBridge(s.Running, event); {
	case runs && stands:
		return []Event{Reopen, Run}
	case runs && bridge == s.Pending:
		return []Event{Run}
	case !ended && stands:
		return []Event{Reopen}
	case !ended || target == bridge:
		return nil
	case stands:
		return []Event{Reopen, event}
	}
	return []Event{event}
}

// Stands says whether nothing happens any more unless somebody acts.
func Stands(status s.Status) bool { return status.Completed() || status == s.Manual }
