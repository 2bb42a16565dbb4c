package web

import (
	"net/netip"
	"strconv"

	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/internal/limit"
)

// Bounds of the pages that are followed live at a time. Each asks every few seconds whether its reader may still see it. A page that
// nobody looks at does not listen, so one person has few.
const (
	streamsOfUser    = 24
	streamsOfNobody  = 100 // of visitors without an account, by network
	streamsOfNetwork = 500
	streamsOfVisits  = 1000 // of all visitors without an account
	streamsInAll     = 5000
)

// streams are the places of pages that are followed live. A page that finds none is renewed now and then by its script.
type streams struct {
	users, visitors, networks *limit.Places
}

func newStreams() *streams {
	return &streams{
		users: limit.NewPlaces(streamsInAll, streamsOfUser), visitors: limit.NewPlaces(streamsOfVisits, streamsOfNobody),
		networks: limit.NewPlaces(streamsInAll, streamsOfNetwork),
	}
}

var errTooManyStreams = fault.New(fault.TooMany, "Too many pages are followed live from here. Close some of them, or reload this one by hand.")

// enter takes a place for a reader, which is given back when the stream ends. The request counts no longer among those of its
// address that are worked on.
func (s *streams) enter(r *request, trusted []netip.Prefix) (give func(), err error) {
	network := httpapi.Network(httpapi.Address(r.Request, trusted)).String()
	of, key := s.visitors, network
	if r.actor.User != nil {
		of, key = s.users, strconv.FormatInt(r.actor.User.ID, 10)
	}
	giveOne, ok := of.TryTake(key)
	if !ok {
		return nil, errTooManyStreams
	}
	giveOther, ok := s.networks.TryTake(network)
	if !ok {
		giveOne()
		return nil, errTooManyStreams
	}
	httpapi.Uncount(r.Request)
	return func() {
		giveOther()
		giveOne()
	}, nil
}
