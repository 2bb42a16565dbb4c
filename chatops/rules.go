package chatops

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// needsApproval says that others have to agree before a command is done.
type needsApproval struct {
	missing int
	jobs    []string
	ref     string // and commit that would be run, if it is a new pipeline
	sha     string
}

func (n *needsApproval) Error() string { return "approvals are missing" }

// allowed asks the rules of the project whether the person may run jobs from this channel now. Each rule whose pattern matches
// a job must let it pass. A pipeline asks for at most as many looks as it has jobs.
func (s *Service) allowed(tx *models.Tx, g *given, jobs []*models.Job) error {
	rules, err := tx.ChatRules(g.project.ID)
	if err != nil || len(rules) == 0 {
		return err
	}
	subject, err := access.SubjectOf(tx, g.actor(), g.project)
	if err != nil {
		return err
	}
	approvals, err := tx.ChatApprovals(g.command.ID)
	if err != nil {
		return err
	}
	wait := &needsApproval{}
	q := askedOf{channelID: g.command.ChannelID, channelName: g.command.ChannelName, level: subject.Level, approvals: len(approvals), now: tx.Now()}
	for _, j := range jobs {
		q.job = j.Name
		for _, r := range rules {
			if !access.MatchesWildcard(r.Pattern, j.Name) {
				continue
			}
			got, err := ruling(tx, r, g.user, q)
			switch {
			case err != nil:
				return err
			case got.Outcome == Refuses:
				return fault.New(fault.Invalid, "%s", got.Reason)
			case got.Outcome == Asks:
				wait.missing, wait.jobs = max(wait.missing, got.Missing), append(wait.jobs, j.Name)
			}
		}
	}
	if wait.missing > 0 {
		wait.jobs = slices.Compact(wait.jobs)
		return wait
	}
	return nil
}

// Outcome is what a rule says of a job.
type Outcome string

// The outcomes.
const (
	Passes  Outcome = "passes"
	Refuses Outcome = "refuses"
	Asks    Outcome = "asks" // for the approval of others
)

// Ruling is what one rule says of a job, a person and a channel, and why.
type Ruling struct {
	Rule    *models.ChatRule
	Outcome Outcome
	Reason  string // a sentence's rest; "" if it passes
	Missing int    // approvals
}

// asked is what a rule looks at. Whether the person is among those it names, and when the job last ran, depend on the rule.
type askedOf struct {
	job         string
	channelID   string
	channelName string
	level       enum.AccessLevel
	approvals   int
	now         time.Time
}

// rule decides by one rule whose pattern matches. named says whether the rule names the person, who whom it names, and last when
// the job last ran within the rule's pause.
func rule(r *models.ChatRule, q askedOf, named bool, who string, last *time.Time) Ruling {
	refuse := func(format string, args ...any) Ruling {
		return Ruling{Rule: r, Outcome: Refuses, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(r.Channels) > 0 && !slices.Contains(r.Channels, q.channelID) && !slices.Contains(r.Channels, q.channelName):
		return refuse("%s is run from the channels `%s` alone, by a rule of the project", code(q.job), strings.Join(r.Channels, "`, `"))
	case len(r.Who) > 0 && !named:
		return refuse("%s is run by %s alone, by a rule of the project; your role is %s", code(q.job), who, q.level)
	case last != nil:
		whose, pause := "you", time.Duration(r.CooldownSeconds)*time.Second
		if r.CooldownOf == "channel" {
			whose = "somebody in this channel"
		}
		return refuse("%s ran %s %s ago; it can be run again in %s", whose, code(q.job), roughly(q.now.Sub(*last)), roughly(last.Add(pause).Sub(q.now)))
	}
	if missing := r.Approvals - q.approvals; missing > 0 {
		return Ruling{r, Asks, fmt.Sprintf("%d %s of somebody else %s missing", missing, plural(missing, "approval"), isOrAre(missing)), missing}
	}
	return Ruling{Rule: r, Outcome: Passes}
}

// ruling reads what a rule needs to know and asks it.
func ruling(tx *models.Tx, r *models.ChatRule, u *models.User, q askedOf) (out Ruling, err error) {
	named, who, last := true, "", (*time.Time)(nil)
	if len(r.Who) > 0 {
		if named, err = ci.Granted(tx, u, q.level, r.Who); err != nil {
			return out, err
		}
		if !named {
			if who, err = inWords(tx, r.Who); err != nil {
				return out, err
			}
		}
	}
	if r.CooldownSeconds > 0 {
		user := u.ID
		if r.CooldownOf == "channel" {
			user = 0
		}
		if last, err = tx.LastChatRun(r.ProjectID, q.job, user, q.channelID, q.now.Add(-time.Duration(r.CooldownSeconds)*time.Second)); err != nil {
			return out, err
		}
	}
	return rule(r, q, named, who, last), nil
}

// inWords says whom a list of grants lets.
func inWords(tx *models.Tx, who []models.Grant) (string, error) {
	var names []string
	for _, w := range who {
		switch {
		case w.UserID != 0:
			u, err := tx.User(w.UserID)
			if err = notThere(err); err != nil {
				return "", err
			}
			if u != nil {
				names = append(names, "@"+u.Username)
			}
		case w.GroupID != 0:
			names = append(names, "the members of a group")
		case w.AccessLevel == enum.NoAccess:
			names = append(names, "nobody by role")
		default:
			names = append(names, w.AccessLevel.String()+"s")
		}
	}
	return strings.Join(names, " or "), nil
}

// maxRules bounds the rules of a project.
const maxRules = 100

// What a rule may hold.
const (
	maxRulePattern   = 255
	maxRuleChannels  = 50
	maxRuleApprovals = 5
	maxRuleCooldown  = 7 * 24 * 3600
)

// ruleRoles are the roles that a rule may name, as in protected environments. Whoever has less may run nothing, rule or not.
var ruleRoles = []enum.AccessLevel{enum.NoAccess, enum.Developer, enum.Maintainer, enum.AdminAccess}

// CheckRule tidies a rule and says all that is wrong with it, by field; nil if nothing is.
func CheckRule(r *models.ChatRule) fault.Fields {
	wrong := fault.Fields{}
	say := func(field, format string, args ...any) {
		wrong[field] = append(wrong[field], fmt.Sprintf(format, args...))
	}
	r.Pattern = strings.TrimSpace(r.Pattern)
	if r.Pattern == "" {
		say("pattern", "can't be blank")
	}
	if utf8.RuneCountInString(r.Pattern) > maxRulePattern {
		say("pattern", "is too long (maximum is %d characters)", maxRulePattern)
	}
	channels := []string{}
	for _, c := range r.Channels {
		c = strings.TrimPrefix(strings.TrimSpace(c), "#")
		switch {
		case c == "" || slices.Contains(channels, c):
		case strings.ContainsFunc(c, unicode.IsSpace) || len(c) > 255:
			say("channels", "must be ids or names without blanks")
		default:
			channels = append(channels, c)
		}
	}
	if r.Channels = channels; len(channels) > maxRuleChannels {
		say("channels", "must be at most %d", maxRuleChannels)
	}
	if r.Who == nil {
		r.Who = []models.Grant{}
	}
	for i, w := range r.Who {
		if w.UserID == 0 && w.GroupID == 0 && !slices.Contains(ruleRoles, w.AccessLevel) {
			say("who", "must each be a role, a user or a group")
		}
		r.Who[i].ID = int64(i + 1)
	}
	if r.Approvals < 0 || r.Approvals > maxRuleApprovals {
		say("approvals", "must be from 0 to %d", maxRuleApprovals)
	}
	if r.CooldownSeconds < 0 || r.CooldownSeconds > maxRuleCooldown {
		say("cooldown_seconds", "must be from 0 to %d", maxRuleCooldown)
	}
	if r.CooldownOf != "user" && r.CooldownOf != "channel" {
		say("cooldown_of", "must be user or channel")
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// SaveRule stores a rule about who may run jobs from chat.
func (s *Service) SaveRule(ctx context.Context, by access.Actor, r *models.ChatRule) error {
	if wrong := CheckRule(r); wrong != nil {
		return wrong
	}
	return s.db.Write(ctx, func(tx *models.Tx) error {
		rules, err := tx.ChatRules(r.ProjectID)
		if err != nil {
			return err
		}
		if r.ID == 0 && len(rules) >= maxRules {
			return fault.New(fault.Invalid, "a project has at most %d rules", maxRules)
		}
		if err := tx.SaveChatRule(r); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &by.User.ID, Action: "chat_rule_saved", EntityType: "project", EntityID: r.ProjectID, Details: r.Pattern, IPAddress: by.IP})
	})
}

// RemoveRule removes a rule.
func (s *Service) RemoveRule(ctx context.Context, by access.Actor, r *models.ChatRule) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteChatRule(r.ID); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &by.User.ID, Action: "chat_rule_removed", EntityType: "project", EntityID: r.ProjectID, Details: r.Pattern, IPAddress: by.IP})
	})
}
