package ci

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/internal/blob"
	"signalbox/models"
)

// Leftovers is what the last whole pass over the stores found, and removed unless it says otherwise.
type Leftovers struct {
	EndedAt     time.Time `json:"ended_at"`
	Objects     int       `json:"objects"`        // looked at
	Unfinished  int       `json:"unfinished"`     // files of objects that were not stored to their end
	NoRow       int       `json:"no_row"`         // objects that nothing in the database names
	NoObject    int       `json:"no_object"`      // artifacts whose object is not there
	Temporary   int       `json:"temporary"`      // files of git and of requests
	SignIns     int64     `json:"sign_ins"`       // networks that somebody signed in from long ago
	Kept        int       `json:"kept,omitempty"` // objects and artifacts without the other that were left alone: too many are
	KeptBecause string    `json:"kept_because,omitempty"`
}

const (
	// leftFor is how old a leftover is at least: nobody is at work on it any more.
	leftFor = 24 * time.Hour
	// leftoverEvery is when a pass begins after the one before, and leftoverStep when it goes on.
	leftoverEvery = 24 * time.Hour
	leftoverStep  = 10 * time.Second
	leftoverBatch = 200
	// fewLeft is how many may be without the other in a batch of which most, but not all, are: more look like another instance's
	// store, or one that is not mounted.
	fewLeft = 20
)

// settingLeftovers is where the last pass is kept, as JSON; settingStoreMarker names the object by which the store is known.
const (
	settingLeftovers   = "leftovers"
	settingStoreMarker = "store_marker"
)

// leftovers is the pass over the stores of a node, a step at a time. Each node has one; the one that holds the lease of sweeps goes on with
// its own. A pass that a dead node began begins anew elsewhere.
type leftovers struct {
	mu sync.Mutex // held for a step
	pass
}

// pass is how far a pass is, and what it found.
type pass struct {
	next     time.Time
	phase    int
	after    string // the last object that was looked at
	artifact int64  // the last artifact
	marked   bool   // the store got its marker in this pass, which therefore says nothing about it yet
	found    Leftovers
}

// removeLeftovers passes over the stores until the context ends, apart from the sweeps: a slow store delays no job.
func (c *Coordinator) removeLeftovers(ctx context.Context) {
	tick := time.NewTicker(leftoverStep)
	defer tick.Stop()
	for {
		if err := c.LeftoversOnce(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "leftovers cannot be removed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// LeftoversOnce takes the next step of the pass over the stores, if it is time for it and this node holds the lease of sweeps.
func (c *Coordinator) LeftoversOnce(ctx context.Context) error {
	mine, err := c.lease.take(ctx, c.db)
	if !mine || err != nil {
		return err
	}
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	now := c.db.Now()
	if now.Before(c.left.next) && c.left.next.Sub(now) <= leftoverEvery { // else the clock was set back
		return nil
	}
	c.left.next = now.Add(leftoverStep)
	done, err := c.leftoverSteps()[c.left.phase](ctx, now.Add(-leftFor))
	if err != nil || !done {
		return err
	}
	if c.left.phase++; c.left.phase < len(c.leftoverSteps()) {
		return nil
	}
	found := c.left.found
	found.EndedAt = now
	c.left.pass = pass{next: now.Add(leftoverEvery)}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	c.log.InfoContext(ctx, "leftovers were looked for", "objects", found.Objects, "unfinished", found.Unfinished, "no_row", found.NoRow,
		"no_object", found.NoObject, "temporary", found.Temporary, "kept", found.Kept, "kept_because", found.KeptBecause)
	return c.db.Write(ctx, func(tx *models.Tx) error { return tx.SetSetting(settingLeftovers, string(text)) })
}

// leftoverSteps each own one kind of leftover.
func (c *Coordinator) leftoverSteps() []func(ctx context.Context, before time.Time) (done bool, err error) {
	return []func(context.Context, time.Time) (bool, error){c.markStore, c.leftFiles, c.leftObjects, c.leftArtifacts, c.leftSignIns}
}

// markStore puts an object into the store of this database, once. A store without it is another one, or is not mounted.
func (c *Coordinator) markStore(ctx context.Context, _ time.Time) (bool, error) {
	marker, err := c.storeMarker(ctx)
	if err != nil || marker != "" {
		return true, err
	}
	marker = "store/" + rand.Text()
	if _, err := c.blobs.Put(ctx, marker, strings.NewReader("signalbox knows its store by this object\n")); err != nil {
		return false, err
	}
	c.left.marked = true
	return true, c.db.Write(ctx, func(tx *models.Tx) error { return tx.SetSetting(settingStoreMarker, marker) })
}

func (c *Coordinator) storeMarker(ctx context.Context) (key string, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		key, err = tx.Setting(settingStoreMarker)
		return err
	})
	return key, err
}

// storeKnown says whether the store is the one that this database marked in an earlier pass. Only then may something be removed.
func (c *Coordinator) storeKnown(ctx context.Context) (bool, error) {
	marker, err := c.storeMarker(ctx)
	if err != nil || marker == "" || c.left.marked {
		return false, err
	}
	o, err := c.blobs.Open(ctx, marker)
	if errors.Is(err, blob.ErrNotFound) {
		c.log.ErrorContext(ctx, "nothing is removed from the store: it lacks the object by which this database knows it. "+
			"Mount the right store; if it is the right one, store an object of this name in it", "key", marker)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, o.Close()
}

// leftFiles removes what processes that were killed were writing.
func (c *Coordinator) leftFiles(ctx context.Context, before time.Time) (bool, error) {
	n, err := c.blobs.RemoveUnfinished(ctx, before)
	c.left.found.Unfinished += n
	temporary, tmpErr := c.repos.RemoveTemporary(ctx, before)
	c.left.found.Temporary += temporary
	return true, errors.Join(err, tmpErr)
}

// leftObjects removes objects of artifacts and jobs that are not there any more.
func (c *Coordinator) leftObjects(ctx context.Context, before time.Time) (bool, error) {
	list, err := c.blobs.List(ctx, c.left.after, leftoverBatch)
	if err != nil {
		return false, err
	}
	if len(list) > 0 {
		c.left.after = list[len(list)-1].Key
	}
	c.left.found.Objects += len(list)
	byJob := map[int64][]blob.Info{}
	var ids []int64
	for _, o := range list {
		if job, ok := jobOfObject(o.Key); ok && o.Modified.Before(before) {
			byJob[job] = append(byJob[job], o)
			ids = append(ids, job)
		}
	}
	var left []string
	old := 0
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		jobs, err := tx.JobsByID(ids)
		if err != nil {
			return err
		}
		artifacts, err := tx.Artifacts(ids...)
		if err != nil {
			return err
		}
		named := map[string]bool{}
		for _, j := range jobs {
			named[fmt.Sprint("job ", j.ID)] = true
		}
		for _, a := range artifacts {
			named[a.BlobKey] = true
		}
		left, old = nil, 0
		for id, objects := range byJob {
			for _, o := range objects {
				old++
				if strings.HasPrefix(o.Key, "traces/") && named[fmt.Sprint("job ", id)] || named[o.Key] {
					continue
				}
				left = append(left, o.Key)
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	keep, err := c.keepLeft(ctx, len(left), old, "most objects of a part of the store belong to nothing in this database: is it another instance's?")
	if err != nil || keep {
		return err == nil && len(list) < leftoverBatch, err
	}
	for _, key := range left {
		if err := c.blobs.Delete(ctx, key); err != nil {
			return false, err
		}
		c.log.InfoContext(ctx, "object without a row removed", "key", key)
		c.left.found.NoRow++
	}
	return len(list) < leftoverBatch, nil
}

// keepLeft says whether what is left over of a batch must stay, and notes that: the store is not known, or more is left over
// than an accident explains.
func (c *Coordinator) keepLeft(ctx context.Context, left, of int, because string) (bool, error) {
	if left == 0 {
		return false, nil
	}
	if !tooManyLeft(left, of) {
		known, err := c.storeKnown(ctx)
		if err != nil || known {
			return false, err
		}
		because = "the store is not known yet to be that of this database; see the log"
	}
	c.left.found.Kept += left
	c.left.found.KeptBecause = because
	return true, nil
}

// tooManyLeft says whether more of a batch is left over than an accident explains.
func tooManyLeft(left, of int) bool { return left == of || left > fewLeft && 2*left >= of }

// jobOfObject is the job whose log or artifact an object is.
func jobOfObject(key string) (id int64, ok bool) {
	parts := strings.Split(key, "/")
	var text string
	switch {
	case len(parts) == 4 && parts[0] == "artifacts":
		text = parts[2]
	case len(parts) == 3 && parts[0] == "traces":
		text, _, _ = strings.Cut(parts[2], ".")
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil
}

// leftArtifacts removes artifacts that nobody can download, because their object is not there.
func (c *Coordinator) leftArtifacts(ctx context.Context, before time.Time) (bool, error) {
	var rows []*models.Artifact
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		rows, err = tx.ArtifactsAfter(c.left.artifact, before, leftoverBatch)
		return err
	})
	if err != nil {
		return false, err
	}
	var left []*models.Artifact
	for _, a := range rows {
		o, err := c.blobs.Open(ctx, a.BlobKey)
		switch {
		case err == nil:
			o.Close()
		case errors.Is(err, blob.ErrNotFound):
			left = append(left, a)
		default:
			return false, err
		}
	}
	if len(rows) > 0 {
		c.left.artifact = rows[len(rows)-1].ID
	}
	done := len(rows) < leftoverBatch
	keep, err := c.keepLeft(ctx, len(left), len(rows), "most artifacts of a part of the database have no object: is the store the right one, and mounted?")
	if err != nil || keep || len(left) == 0 {
		return err == nil && done, err
	}
	var ids []int64
	for _, a := range left {
		ids = append(ids, a.ID)
		c.log.WarnContext(ctx, "artifact without its object removed", "job", a.JobID, "key", a.BlobKey)
	}
	c.left.found.NoObject += len(ids)
	return done, c.db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteArtifacts(ids) })
}

// leftSignIns forgets from where people signed in long ago.
func (c *Coordinator) leftSignIns(ctx context.Context, _ time.Time) (done bool, err error) {
	const keep = 90 * 24 * time.Hour
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		n, err := tx.DeleteSignInNetworks(tx.Now().Add(-keep), leftoverBatch)
		c.left.found.SignIns += n
		done = n == 0
		return err
	})
	return done, err
}

// LastLeftovers is what the last whole pass found; nil if none ended yet.
func (c *Coordinator) LastLeftovers(ctx context.Context) (found *Leftovers, err error) {
	text := ""
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		text, err = tx.Setting(settingLeftovers)
		return err
	})
	if err != nil || text == "" {
		return nil, err
	}
	found = &Leftovers{}
	return found, json.Unmarshal([]byte(text), found)
}
