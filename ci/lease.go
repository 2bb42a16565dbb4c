package ci

import (
	"context"
	"sync"
	"time"

	"signalbox/models"
)

const (
	leaseTime  = 6 * time.Second // a node that died is followed after this
	leaseRenew = 3 * time.Second
	sweepLease = "sweep"
)

// lease is this node's right to sweep. With SQLite there is one node, which needs none.
type lease struct {
	holder string
	mu     sync.Mutex
	renew  time.Time // when it is to be extended, by this node's own clock
}

// take says whether this node sweeps now. A node that does not hold the lease only reads.
func (l *lease) take(ctx context.Context, db *models.DB) (bool, error) {
	if !db.Postgres() {
		return true, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.renew) {
		return true, nil
	}
	free := false
	err := db.Read(ctx, func(tx *models.Tx) (err error) {
		free, err = tx.LeaseFree(sweepLease, l.holder)
		return err
	})
	if err != nil || !free {
		return false, err
	}
	began := time.Now()
	var mine bool
	err = db.Write(ctx, func(tx *models.Tx) (err error) {
		mine, err = tx.TakeLease(sweepLease, l.holder, leaseTime)
		return err
	})
	if l.renew = (time.Time{}); mine && err == nil {
		l.renew = began.Add(leaseRenew)
	}
	return mine, err
}

// give lets another node sweep at once, when this one stops.
func (l *lease) give(ctx context.Context, db *models.DB) error {
	if !db.Postgres() {
		return nil
	}
	return db.Write(ctx, func(tx *models.Tx) error { return tx.GiveLease(sweepLease, l.holder) })
}
