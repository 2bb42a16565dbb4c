package web

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// pauseUnits are the units in which a form tells a pause, by their seconds.
var pauseUnits = []struct {
	Seconds int64
	Text    string
}{{1, "seconds"}, {60, "minutes"}, {3600, "hours"}, {86400, "days"}}

// pauseIn splits a pause into a number and the largest unit that holds it.
func pauseIn(seconds int64) (n, unit int64) {
	if seconds == 0 {
		return 0, 60
	}
	unit = 1
	for _, u := range pauseUnits {
		if seconds%u.Seconds == 0 {
			unit = u.Seconds
		}
	}
	return seconds / unit, unit
}

func pauseText(seconds int64) string {
	n, unit := pauseIn(seconds)
	for _, u := range pauseUnits {
		if u.Seconds == unit && n == 1 {
			return "1 " + strings.TrimSuffix(u.Text, "s")
		}
		if u.Seconds == unit {
			return fmt.Sprintf("%d %s", n, u.Text)
		}
	}
	return ""
}

// chatRuleRow is a rule as its list and its form show it.
type chatRuleRow struct {
	*models.ChatRule
	Number      int // in the list
	Whom        grantText
	Pause, Unit int64
}

// Words says whom the rule lets through.
func (r chatRuleRow) Words() string {
	if len(r.Who) == 0 {
		return "everybody whose role allows it"
	}
	if words := r.Whom.Words(); words != "" {
		return words
	}
	return "nobody"
}

// PauseWords says how long the same job rests.
func (r chatRuleRow) PauseWords() string {
	of := ", for each person"
	if r.CooldownOf == "channel" {
		of = ", for each channel"
	}
	return pauseText(r.CooldownSeconds) + of
}

func rulesAt(c *inside) string { return "/" + c.project.FullPath + "/-/settings/integrations/rules" }

func (s *Server) chatRulesPage(r *request, c *inside) error {
	form := chatRuleRow{ChatRule: &models.ChatRule{CooldownOf: "user"}, Whom: grantText{Role: "0"}, Unit: 60}
	d := data{"Title": "Chat rules", "At": rulesAt(c), "Units": pauseUnits, "TryWrong": fault.Fields{}}
	q := r.URL.Query()
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, err := tx.ChatRules(c.project.ID)
		if err != nil {
			return err
		}
		rows := make([]chatRuleRow, len(found))
		for i, rule := range found {
			rows[i] = chatRuleRow{ChatRule: rule, Number: i + 1}
			rows[i].Pause, rows[i].Unit = pauseIn(rule.CooldownSeconds)
			if rows[i].Whom, err = grantsText(tx, r.actor, rule.Who); err != nil {
				return err
			}
			if q.Get("edit") == fmt.Sprint(rule.ID) {
				form = rows[i]
			}
		}
		d["Rows"], d["Form"], d["Roles"] = rows, form, grantRoles
		return nil
	})
	if err != nil {
		return err
	}
	if q.Has("job") {
		if err := s.tryChatRules(r, c, d); err != nil {
			return err
		}
	}
	return s.show(r, c, "chatrules", d)
}

// tryChatRules puts what the rules say of a trial beside its form.
func (s *Server) tryChatRules(r *request, c *inside, d data) error {
	q := r.URL.Query()
	found, err := s.chat.TryRules(r.Context(), c.project, chatops.Trial{Job: q.Get("job"), Channel: q.Get("channel"), Username: q.Get("user")})
	var wrong fault.Fields
	if errors.As(err, &wrong) {
		d["TryWrong"] = wrong
		return nil
	}
	if err != nil {
		return err
	}
	d["Found"] = found
	for _, row := range d["Rows"].([]chatRuleRow) {
		if found.By != nil && row.ID == found.By.ID {
			d["By"] = row
		}
	}
	return nil
}

// chatRuleFound finds the rule of the address; a fresh one for a new one.
func (s *Server) chatRuleFound(r *request, c *inside) (rule *models.ChatRule, err error) {
	if len(c.args) == 0 {
		return &models.ChatRule{ProjectID: c.project.ID}, nil
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if rule, err = tx.ChatRule(c.number(0)); err == nil && rule.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return rule, err
}

// numberOf reads a number of a form; one that is none is -1, which no rule takes.
func numberOf(r *request, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(r.PostFormValue(name)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// ruleWho reads whom a rule's form names. Whoever picks "only these" names somebody: a rule that names nobody would let everybody through.
func (s *Server) ruleWho(r *request, before []models.Grant) (who []models.Grant, err error) {
	if r.PostFormValue("whom") == "all" {
		return nil, nil
	}
	if level, err := strconv.Atoi(r.PostFormValue("who_role")); err != nil {
		return nil, fault.Field("who", "must have a role of the list")
	} else if level != 0 {
		who = append(who, models.Grant{AccessLevel: enum.AccessLevel(level)})
	}
	named, err := s.readNamed(r, "who", before)
	if fault.KindOf(err) == fault.Invalid {
		return nil, fault.Field("who", "%s", fault.Message(err))
	}
	if who = append(who, named...); err == nil && len(who) == 0 {
		err = fault.Field("who", "must name a role, a user or a group")
	}
	return who, err
}

func (s *Server) saveChatRule(r *request, c *inside) error {
	rule, err := s.chatRuleFound(r, c)
	if err != nil {
		return err
	}
	who, err := s.ruleWho(r, rule.Who)
	wrong := fault.Fields{}
	if err != nil && !errors.As(err, &wrong) {
		return err
	}
	rule.Pattern, rule.Channels, rule.Who = r.PostFormValue("pattern"), strings.Split(r.PostFormValue("channels"), ","), who
	rule.Approvals, rule.CooldownOf = int(numberOf(r, "approvals")), r.PostFormValue("cooldown_of")
	if rule.CooldownSeconds = numberOf(r, "cooldown"); rule.CooldownSeconds > 0 {
		rule.CooldownSeconds = min(rule.CooldownSeconds, 1e9) * max(1, min(numberOf(r, "cooldown_unit"), 86400))
	}
	if more := chatops.CheckRule(rule); len(wrong)+len(more) > 0 {
		all := maps.Clone(wrong)
		maps.Copy(all, more)
		return perField(all)
	}
	if err := s.chat.SaveRule(r.Context(), r.actor, rule); err != nil {
		return perField(err)
	}
	s.say(r, "The rule about "+rule.Pattern+" was saved.")
	return s.to(r, rulesAt(c))
}

func (s *Server) removeChatRule(r *request, c *inside) error {
	rule, err := s.chatRuleFound(r, c)
	if err != nil {
		return err
	}
	if err := s.chat.RemoveRule(r.Context(), r.actor, rule); err != nil {
		return err
	}
	s.say(r, "The rule about "+rule.Pattern+" was removed.")
	return s.to(r, rulesAt(c))
}
