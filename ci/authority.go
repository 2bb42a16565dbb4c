package ci

import (
	"strconv"

	"signalbox/models"
)

// Who waits has read something before: a held request its runner, an open stream its reader's rights. The topics
// of this file tell them that it changed, so that they ask again. They are hints: whoever acts reads what it
// rests on in the transaction that acts, and streams ask again every few seconds whatever they hear.

// TopicAuthority is announced when what a user, project, group, session or runner may do has changed.
func TopicAuthority(c models.AuthorityChange) string {
	if c.Kind == models.SessionAuthority {
		return "authority:session:" + c.Hash
	}
	return "authority:" + string(c.Kind) + ":" + strconv.FormatInt(c.ID, 10)
}

func topicRunner(id int64) string {
	return TopicAuthority(models.AuthorityChange{Kind: models.RunnerAuthority, ID: id})
}

// authorityChanged tells this node and the others what a commit changed.
func (c *Coordinator) authorityChanged(changes []models.AuthorityChange) {
	for _, change := range changes {
		if change.Kind == models.RunnerAuthority {
			c.runners.clear()
			c.hub.Announce(TopicRunners)
			c.wakeSweep() // a deleted runner may have left jobs
		}
		c.hub.Publish(TopicAuthority(change))
	}
}
