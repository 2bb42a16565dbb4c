package ci

import (
	"strconv"
	"strings"

	"signalbox/models"
	"signalbox/models/enum"
)

// QueuePlace is what a runner is told of the queue that its job came from, for its metrics.
type QueuePlace struct {
	Size, Depth int    // jobs that it could have been given; those that were looked at until this one
	Running     string // jobs of the project that instance runners run already, in GitLab's buckets
	RootID      int64  // the namespace at the root of the project's
}

// runningBucket is where GitLab stops to count the jobs that run.
const runningBucket = 5

// queuePlace reads what the mirror of the queue does not know, from rows that are few.
func queuePlace(tx *models.Tx, p *models.Project, r *models.Runner) (QueuePlace, error) {
	place := QueuePlace{Running: "+Inf", RootID: p.NamespaceID}
	if strings.Count(p.FullPath, "/") > 1 {
		path, err := tx.NamespacePath(p)
		if err != nil {
			return place, err
		}
		place.RootID = path[0]
	}
	if r.Type != enum.InstanceRunner {
		return place, nil
	}
	n, err := tx.SharedRunningOf(p.ID, runningBucket)
	place.Running = strconv.Itoa(n)
	if n == runningBucket {
		place.Running += "+"
	}
	return place, err
}
