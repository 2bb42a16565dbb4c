package ci

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"signalbox/models"
)

// Identity names an installation, and one of its runners, to that runner, which notes them in its log of use: there jobs of many
// installations may stand side by side. None of it is a secret, and none opens anything.
type Identity struct {
	InstanceID   string // random, made once
	InstanceUUID string
	RunnerUUID   string
}

// settingInstanceID is where the id of the installation is kept.
const settingInstanceID = "instance_id"

// identity reads the id of the installation, or makes it the first time; the other ids follow from it.
func (c *Coordinator) identity(ctx context.Context, runnerID int64) (Identity, error) {
	known := c.instanceID.Load()
	if known == nil {
		var id string
		err := c.db.Write(ctx, func(tx *models.Tx) (err error) {
			id, err = tx.KeepSetting(settingInstanceID, uuid.NewString())
			return err
		})
		if err != nil {
			return Identity{}, err
		}
		known = &id
		c.instanceID.Store(known)
	}
	instance := uuid.NewSHA1(uuid.NameSpaceOID, []byte(*known))
	runner := uuid.NewSHA1(instance, []byte("runner/"+strconv.FormatInt(runnerID, 10)))
	return Identity{InstanceID: *known, InstanceUUID: instance.String(), RunnerUUID: runner.String()}, nil
}
