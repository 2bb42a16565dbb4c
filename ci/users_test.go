package ci

import (
	"testing"

	"signalbox/models"
)

// TestRenames: whoever is renamed, and each group and project that is, takes along what lies below.
func TestRenames(t *testing.T) {
	c, root := newCoordinator(t)
	ctx := t.Context()
	anna := &models.User{Username: "anna", Name: "Anna", Email: "anna@example.com", CanCreateGroup: true}
	noError(t, c.CreateUser(ctx, root, anna, "anna-password"))
	own, err := c.CreateProject(ctx, root, NewProject{Path: "own"})
	noError(t, err)
	g, err := c.CreateGroup(ctx, root, NewGroup{Name: "Team", Path: "team"})
	noError(t, err)
	p, err := c.CreateProject(ctx, root, NewProject{Path: "app", NamespaceID: g.ID})
	noError(t, err)

	_, err = c.UpdateUser(ctx, root, root.User.ID, "", func(u *models.User) { u.Username = "chief" })
	noError(t, err)
	_, err = c.UpdateUser(ctx, root, anna.ID, "", func(u *models.User) { u.Username = "anne" })
	noError(t, err)
	_, err = c.UpdateGroup(ctx, root, g.ID, func(g *models.Namespace) { g.Path = "squad" })
	noError(t, err)
	_, err = c.UpdateProject(ctx, root, p.ID, func(p *models.Project) error { p.Path = "web"; return nil })
	noError(t, err)
	for id, want := range map[int64]string{own.ID: "chief/own", p.ID: "squad/web"} {
		noError(t, c.db.Read(ctx, func(tx *models.Tx) error {
			got, err := tx.Project(id)
			if err == nil && got.FullPath != want {
				t.Errorf("%s, want %s", got.FullPath, want)
			}
			return err
		}))
	}
	for word := range userStates {
		_, err := c.SetUserState(ctx, root, anna.ID, word)
		if err != nil {
			t.Logf("%s: %v", word, err) // not from every state
		}
	}
	noError(t, c.DeleteUser(ctx, root, anna.ID))
	noError(t, c.db.Read(ctx, func(tx *models.Tx) error {
		if _, err := tx.NamespaceByPath("anne"); err != models.ErrNotFound {
			t.Errorf("the namespace of a user who is gone: %v", err)
		}
		return nil
	}))
}
