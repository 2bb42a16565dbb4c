// Package events carries wake-ups between the parts of a node. An event is only a hint to read the database
// again: it may be lost, doubled or late.
package events

import "sync"

// Hub delivers events to those who subscribed to their topics.
type Hub struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]bool
}

// NewHub makes an empty hub.
func NewHub() *Hub { return &Hub{topics: map[string]map[chan struct{}]bool{}} }

// Publish wakes every subscriber of a topic. It never waits: a subscriber that was not looking yet gets one
// wake-up for any number of events.
func (h *Hub) Publish(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.topics[topic] {
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
