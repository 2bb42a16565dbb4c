package ci

import (
	"testing"

	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/models/modelstest"
)

// TestADefaultBranchThatIsProtectedAlready keeps its rule when the first push makes it the default one.
func TestADefaultBranchThatIsProtectedAlready(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		c, root := coordinatorOn(t, o)
		p, err := c.CreateProject(t.Context(), root, NewProject{Path: "app"})
		noError(t, err)
		noError(t, c.Protect(t.Context(), root, &models.ProtectedRef{ProjectID: p.ID, Kind: "branch", Name: "trunk", PushLevel: enum.NoAccess, MergeLevel: enum.Maintainer}))
		noError(t, c.setDefaultBranch(t.Context(), p.ID, "trunk"))
		noError(t, c.db.Read(t.Context(), func(tx *models.Tx) error {
			rules, err := tx.ProtectedRefs(p.ID)
			if err == nil && (len(rules) != 1 || rules[0].Name != "trunk" || rules[0].PushLevel != enum.NoAccess) {
				t.Errorf("%d rules, the first is %+v", len(rules), rules[0])
			}
			return err
		}))
	})
}
