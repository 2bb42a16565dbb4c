package api

import (
	"signalbox/chatops"
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type chatRuleEntity struct {
	ID        int64         `json:"id"`
	Pattern   string        `json:"pattern"`
	Channels  []string      `json:"channels"`
	Who       []grantEntity `json:"who"`
	Approvals int           `json:"approvals"`
	Cooldown  int64         `json:"cooldown_seconds"`
	Of        string        `json:"cooldown_of"`
	CreatedAt httpapi.Time  `json:"created_at"`
}

func chatRuleOf(r *models.ChatRule) chatRuleEntity {
	return chatRuleEntity{
		ID: r.ID, Pattern: r.Pattern, Channels: r.Channels, Who: each(r.Who, grantOf), Approvals: r.Approvals, Cooldown: r.CooldownSeconds, Of: r.CooldownOf,
		CreatedAt: httpapi.Time(r.CreatedAt),
	}
}

type chatRuleParams struct {
	Pattern   *string       `param:"pattern" max:"255"`
	Channels  *[]string     `param:"channels"`
	Who       *[]grantParam `param:"who"`
	Approvals *int          `param:"approvals"`
	Cooldown  *int64        `param:"cooldown_seconds"`
	Of        *string       `param:"cooldown_of" values:"user channel"`
}

func (p *chatRuleParams) apply(r *models.ChatRule) {
	keep(&r.Pattern, p.Pattern)
	keep(&r.Channels, p.Channels)
	keep(&r.Approvals, p.Approvals)
	keep(&r.CooldownSeconds, p.Cooldown)
	keep(&r.CooldownOf, p.Of)
	if p.Who != nil {
		r.Who = grants(*p.Who)
	}
}

// chatRuleRoutes serve the rules about who may run which jobs from chat.
func (s *Server) chatRuleRoutes(r routes) {
	base := "/projects/:id/chat/rules"
	in := func(c *call) (rule *models.ChatRule, err error) {
		n, err := c.id("rule_id", "Rule")
		if err != nil {
			return nil, err
		}
		err = c.read(func(tx *models.Tx) error {
			rule, err = tx.ChatRule(n)
			return err
		})
		if err == nil && rule.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return rule, missing(err, "Rule")
	}
	r.get(base, project(access.AdminProject), func(c *call) (any, error) {
		out := []chatRuleEntity{}
		err := c.read(func(tx *models.Tx) error {
			rows, err := tx.ChatRules(c.project.ID)
			out = each(rows, chatRuleOf)
			return err
		})
		return out, err
	})
	r.get(base+"/try", project(access.AdminProject), with(s.tryChatRules))
	r.post(base, project(access.AdminProject), with(func(c *call, p *chatRuleParams) (any, error) {
		rule := &models.ChatRule{ProjectID: c.project.ID, CooldownOf: "user"}
		p.apply(rule)
		err := s.chat.SaveRule(c.ctx(), c.actor, rule)
		return chatRuleOf(rule), err
	}))
	r.put(base+"/:rule_id", project(access.AdminProject), with(func(c *call, p *chatRuleParams) (any, error) {
		rule, err := in(c)
		if err != nil {
			return nil, err
		}
		p.apply(rule)
		return chatRuleOf(rule), s.chat.SaveRule(c.ctx(), c.actor, rule)
	}))
	r.delete(base+"/:rule_id", project(access.AdminProject), func(c *call) (any, error) {
		rule, err := in(c)
		if err != nil {
			return nil, err
		}
		return nil, s.chat.RemoveRule(c.ctx(), c.actor, rule)
	})
}

type tryRulesParams struct {
	Job     string `param:"job" max:"255"`
	Channel string `param:"channel" max:"255"`
	User    string `param:"user" max:"255"`
}

type foundEntity struct {
	Outcome string          `json:"outcome"` // passes, refuses or asks
	Reason  string          `json:"reason"`
	Rule    *chatRuleEntity `json:"rule"`
}

// tryChatRules says who would be let through, and runs nothing.
func (s *Server) tryChatRules(c *call, p *tryRulesParams) (any, error) {
	found, err := s.chat.TryRules(c.ctx(), c.project, chatops.Trial{Job: p.Job, Channel: p.Channel, Username: p.User})
	e := foundEntity{Outcome: string(found.Outcome), Reason: found.Reason}
	if found.By != nil {
		by := chatRuleOf(found.By)
		e.Rule = &by
	}
	return e, err
}
