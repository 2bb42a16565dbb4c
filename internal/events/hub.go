// Package events carries wake-ups between the parts of a node, and with Redis between nodes. An event is only
// a hint to read the database again: it may be lost, doubled or late.
package events

import "sync"

// Hub delivers events to those who subscribed to their topics.
type Hub struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]bool
	others chan<- string // to the other nodes; nil if there are none
}

// NewHub makes the hub of a single node.
func NewHub() *Hub { return &Hub{topics: map[string]map[chan struct{}]bool{}} }

// Publish wakes every subscriber of a topic, on all nodes. It never waits: a subscriber that was not looking
// yet gets one wake-up for any number of events.
func (h *Hub) Publish(topic string) {
	h.deliver(topic)
	h.Announce(topic)
}

// Announce wakes the subscribers of a topic on the other nodes alone.
func (h *Hub) Announce(topic string) {
	if h.others == nil {
		return
	}
	select {
	case h.others <- topic:
	default: // they find it by their sweeps
	}
}

func (h *Hub) deliver(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wake(h.topics[topic])
}

// deliverAll wakes everybody, after events may have been lost.
func (h *Hub) deliverAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, subscribers := range h.topics {
		wake(subscribers)
	}
}

func wake(subscribers map[chan struct{}]bool) {
	for ch := range subscribers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Subscribe starts listening to topics. stop must be called; it ends the delivery.
func (h *Hub) Subscribe(topics ...string) (wake <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		if h.topics[t] == nil {
			h.topics[t] = map[chan struct{}]bool{}
		}
		h.topics[t][ch] = true
	}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, t := range topics {
			delete(h.topics[t], ch)
			if len(h.topics[t]) == 0 {
				delete(h.topics, t)
			}
		}
	}
}
