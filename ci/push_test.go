package ci

import (
	"testing"

	"signalbox/internal/fault"
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

// TestRulesAreChangedAsTheyStand: of two changes that were asked for at one moment none brings back what the other took away, and
// a rule that is gone stays gone.
func TestRulesAreChangedAsTheyStand(t *testing.T) {
	c, root := newCoordinator(t)
	ctx := t.Context()
	p, err := c.CreateProject(ctx, root, NewProject{Path: "app"})
	noError(t, err)
	rule := &models.ProtectedRef{ProjectID: p.ID, Kind: "branch", Name: "trunk", PushLevel: enum.Developer, MergeLevel: enum.Developer}
	noError(t, c.Protect(ctx, root, rule))
	_, err = c.ChangeProtected(ctx, root, rule.ID, func(r *models.ProtectedRef) error { r.PushLevel = enum.NoAccess; return nil })
	noError(t, err)
	got, err := c.ChangeProtected(ctx, root, rule.ID, func(r *models.ProtectedRef) error { r.MergeLevel = enum.Maintainer; return nil })
	noError(t, err)
	if got.PushLevel != enum.NoAccess || got.MergeLevel != enum.Maintainer {
		t.Errorf("%+v", got)
	}
	env := &models.ProtectedEnvironment{ProjectID: p.ID, Name: "production", Deployers: []models.Grant{{AccessLevel: enum.Developer}}}
	noError(t, c.ProtectEnvironment(ctx, root, env))
	_, err = c.ChangeProtection(ctx, root, env.ID, func(g *models.ProtectedEnvironment) { g.Deployers[0].AccessLevel = enum.Maintainer })
	noError(t, err)
	protection, err := c.ChangeProtection(ctx, root, env.ID, func(g *models.ProtectedEnvironment) { g.RequiredApprovals = 2 })
	noError(t, err)
	if protection.RequiredApprovals != 2 || protection.Deployers[0].AccessLevel != enum.Maintainer {
		t.Errorf("%+v", protection)
	}
	noError(t, c.RemoveProtection(ctx, root, env))
	noError(t, c.Unprotect(ctx, root, p.ID, "branch", "trunk"))
	if _, err := c.ChangeProtection(ctx, root, env.ID, func(*models.ProtectedEnvironment) {}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a protection that is gone: %v", err)
	}
	if _, err := c.ChangeProtected(ctx, root, rule.ID, func(*models.ProtectedRef) error { return nil }); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a rule that is gone: %v", err)
	}
}
