package chatops

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// Trial asks who would be let through: a person who gives `run <job>` in a channel.
type Trial struct{ Job, Channel, Username string }

// Finding is what the rules of a project say of a trial. Reason is what the person would read; By is the rule that decided, nil
// if none matches, or if it is the role or the account that does not allow it.
type Finding struct {
	Outcome Outcome
	Reason  string
	By      *models.ChatRule
	Rulings []Ruling // of the rules that match, in order, up to the first that refuses
}

// TryRules decides as a command would be decided now, and changes nothing.
func (s *Service) TryRules(ctx context.Context, p *models.Project, t Trial) (d Finding, err error) {
	wrong := fault.Fields{}
	if t.Job = strings.TrimSpace(t.Job); t.Job == "" {
		wrong["job"] = []string{"can't be blank"}
	}
	if t.Username = strings.TrimPrefix(strings.TrimSpace(t.Username), "@"); t.Username == "" {
		wrong["user"] = []string{"can't be blank"}
	}
	if len(wrong) > 0 {
		return d, wrong
	}
	t.Channel = strings.TrimPrefix(strings.TrimSpace(t.Channel), "#")
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		u, err := tx.UserByName(t.Username)
		if errors.Is(err, models.ErrNotFound) {
			return fault.Field("user", "is not the name of a user here")
		}
		if err != nil {
			return err
		}
		d, err = tryRules(tx, p, u, t)
		return err
	})
	return d, err
}

func tryRules(tx *models.Tx, p *models.Project, u *models.User, t Trial) (d Finding, err error) {
	actor := access.Actor{User: u}
	subject, err := access.SubjectOf(tx, actor, p)
	if err != nil {
		return d, err
	}
	switch {
	case u.Blocked():
		return Finding{Outcome: Refuses, Reason: "your account is blocked"}, nil
	case !access.Allowed(actor, access.CreatePipeline, subject.On(p.DefaultBranch, false)):
		return Finding{Outcome: Refuses, Reason: fmt.Sprintf("your role in the project, %s, does not allow running jobs on %s", subject.Level, code(p.DefaultBranch))}, nil
	}
	rules, err := tx.ChatRules(p.ID)
	if err != nil {
		return d, err
	}
	d.Outcome = Passes
	q, missing := askedOf{job: t.Job, channelID: t.Channel, channelName: t.Channel, level: subject.Level, now: tx.Now()}, 0
	for _, r := range rules {
		if !access.MatchesWildcard(r.Pattern, t.Job) {
			continue
		}
		got, err := ruling(tx, r, u, q)
		if err != nil {
			return d, err
		}
		d.Rulings = append(d.Rulings, got)
		if got.Outcome == Refuses {
			d.Outcome, d.Reason, d.By = Refuses, got.Reason, r
			return d, nil
		}
		if got.Missing > missing {
			missing = got.Missing
			d.Outcome, d.Reason, d.By = Asks, got.Reason, r
		}
	}
	return d, nil
}
