package ci

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// TestAGroupThatIsBeingDeletedTakesNothing by any use case, neither itself nor in the groups below it, until it is gone.
func TestAGroupThatIsBeingDeletedTakesNothing(t *testing.T) {
	c, root := newCoordinator(t)
	ctx := t.Context()
	anna := &models.User{Username: "anna", Name: "Anna", Email: "anna@example.com"}
	noError(t, c.CreateUser(ctx, root, anna, "anna-password"))
	top, err := c.CreateGroup(ctx, root, NewGroup{Name: "Top", Path: "top"})
	noError(t, err)
	sub, err := c.CreateGroup(ctx, root, NewGroup{Name: "Sub", Path: "sub", ParentID: top.ID})
	noError(t, err)
	p, err := c.CreateProject(ctx, root, NewProject{Path: "app", NamespaceID: sub.ID})
	noError(t, err)
	own, err := c.CreateProject(ctx, root, NewProject{Path: "own"})
	noError(t, err)
	runner, _, err := c.NewRunner(ctx, root, enum.ProjectRunner, 0, own.ID, RunnerSettings{RunUntagged: true})
	noError(t, err)
	ofGroup, err := c.ResetGroupRegistration(ctx, sub.ID)
	noError(t, err)
	ofProject, err := c.ResetRegistration(ctx, p)
	noError(t, err)

	noError(t, c.DeleteGroup(ctx, root, top))

	for _, g := range []*models.Namespace{top, sub} {
		subject := func(ctx context.Context) (s access.Subject) {
			noError(t, c.db.Read(ctx, func(tx *models.Tx) (err error) { s, err = access.GroupSubject(tx, root, g); return err }))
			return s
		}
		for what, try := range map[string]func() error{
			"project": func() error {
				_, err := c.CreateProject(ctx, root, NewProject{Path: "new", NamespaceID: g.ID})
				return err
			},
			"subgroup": func() error {
				_, err := c.CreateGroup(ctx, root, NewGroup{Name: "New", Path: "new", ParentID: g.ID})
				return err
			},
			"member": func() error {
				_, _, err := c.SetMember(ctx, root, subject(ctx), NewMember{UserID: anna.ID, Level: enum.Developer}, true)
				return err
			},
			"runner": func() error {
				_, _, err := c.NewRunner(ctx, root, enum.GroupRunner, g.ID, 0, RunnerSettings{RunUntagged: true})
				return err
			},
			"registered runner": func() error {
				_, _, err := c.RegisterRunner(ctx, ofGroup, RunnerSettings{RunUntagged: true})
				return err
			},
			"token": func() error {
				_, _, err := c.CreateResourceToken(ctx, root, subject(ctx), NewToken{Name: "t", Scopes: []string{"api"}, AccessLevel: enum.Developer})
				return err
			},
			"variable": func() error {
				_, err := c.CreateVariable(ctx, root, "group", g.ID, VariableInput{Key: "NEW"})
				return err
			},
			"runner of a project": func() error {
				_, _, err := c.NewRunner(ctx, root, enum.ProjectRunner, 0, p.ID, RunnerSettings{RunUntagged: true})
				return err
			},
			"registered runner of a project": func() error {
				_, _, err := c.RegisterRunner(ctx, ofProject, RunnerSettings{RunUntagged: true})
				return err
			},
			"runner for a further project": func() error { _, err := c.AssignRunner(ctx, root, runner.ID, p); return err },
		} {
			err := try()
			if fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.Message(err), "the group top is being deleted") {
				t.Errorf("%s of %s: %v", what, g.FullPath, err)
			}
		}
	}
}

// TestADeletionThatAnEarlierVersionTook marks its group with the first run of its task.
func TestADeletionThatAnEarlierVersionTook(t *testing.T) {
	c, root := newCoordinator(t)
	ctx := t.Context()
	g, err := c.CreateGroup(ctx, root, NewGroup{Name: "Top", Path: "top"})
	noError(t, err)
	_, err = c.CreateProject(ctx, root, NewProject{Path: "app", NamespaceID: g.ID})
	noError(t, err)
	var later *tasks.Later
	if err := c.runDeleteGroup(ctx, &models.Task{Payload: fmt.Sprintf(`{"group":%d,"user":%d}`, g.ID, root.ID())}); !errors.As(err, &later) {
		t.Fatalf("%v, want another look", err)
	}
	if _, err := c.CreateProject(ctx, root, NewProject{Path: "new", NamespaceID: g.ID}); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
}
