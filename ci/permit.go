package ci

import (
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// permit asks whether the request may make any pipeline of its project, as project, user and roles are in tx. It is asked
// before anything is read for the pipeline, and with permitRef once more by the transaction that stores it: reading a
// configuration may take half a minute.
func (b *builder) permit(tx *models.Tx) error {
	project, err := tx.Project(b.r.Project.ID)
	if err != nil {
		return notFound(err, "Project")
	}
	b.actor = b.r.Actor
	if b.actor.User, err = tx.User(b.r.Actor.ID()); err != nil {
		return notFound(err, "User")
	}
	switch {
	case project.PendingDelete:
		return fault.New(fault.Invalid, "Project is deleted!")
	case !project.BuildsEnabled:
		return fault.New(fault.Invalid, "Pipelines are disabled!")
	}
	if b.subject, err = access.SubjectOf(tx, b.actor, project); err != nil {
		return err
	}
	if !access.Allowed(b.actor, access.CreatePipeline, b.subject) {
		return fault.New(fault.Forbidden, "Insufficient permissions to create a new pipeline")
	}
	return nil
}

// permitRef asks whether who was permitted may run a pipeline on the ref that was found, with the variables that are set.
func (b *builder) permitRef() error {
	r := &b.r
	if branch := b.branch(); !access.Allowed(b.actor, access.CreatePipeline, b.subject.On(branch, b.tag)) {
		return fault.New(fault.Forbidden, "You do not have sufficient permission to run a pipeline on '%s'. "+
			"Please select a different branch or contact your administrator for assistance.", branch)
	}
	if len(r.Variables) > 0 && !r.Source.SetsVariables() && b.subject.Level < b.subject.Project.VariablesMinimumRole {
		return fault.New(fault.Invalid, "Insufficient permissions to set pipeline variables")
	}
	// What is kept for protected refs is for what was merged into them, not for what somebody wants to merge.
	b.protected = r.MergeRequest == nil && len(access.Matching(b.subject.Protected, b.short, b.tag)) > 0
	return nil
}
