package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// Mattermost's bounds of dialogs, in bytes.
const (
	titleBytes   = 24
	labelBytes   = 24
	helpBytes    = 150
	lineBytes    = 150
	linesBytes   = 3000
	comfortBytes = 100 // what is longer has several lines to stand in
)

type dialog struct {
	Callback string       `json:"callback_id"`
	Title    string       `json:"title"`
	Intro    string       `json:"introduction_text,omitempty"`
	Elements []dialogElem `json:"elements"`
	Submit   string       `json:"submit_label"`
	State    string       `json:"state"`
}

type dialogElem struct {
	Label     string   `json:"display_name"`
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Default   string   `json:"default,omitempty"`
	Help      string   `json:"help_text,omitempty"`
	Optional  bool     `json:"optional"`
	MaxLength int      `json:"max_length,omitempty"`
	Options   []option `json:"options,omitempty"`
}

type option struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// Ask opens an interactive dialog.
func (Chat) Ask(ctx context.Context, p chatops.Poster, to chatops.Target, trigger string, f chatops.Form) error {
	_, err := call(ctx, p, to, http.MethodPost, "/actions/dialogs/open", map[string]any{"trigger_id": trigger, "url": f.Address, "dialog": dialogOf(f)})
	return err
}

func dialogOf(f chatops.Form) dialog {
	d := dialog{Callback: "signalbox-form", Title: cut(f.Title, titleBytes), Intro: plain(f.Text), Submit: "Run", State: f.State}
	if d.Title != f.Title { // it is cut
		d.Intro = strings.TrimSpace("**" + plain(f.Title) + "**\n" + d.Intro)
	}
	for _, field := range f.Fields {
		d.Elements = append(d.Elements, elementOf(field))
	}
	return d
}

func elementOf(f chatops.FormField) dialogElem {
	help := f.Hint
	if len(f.Label) > labelBytes { // it is cut
		help = strings.TrimSpace(f.Label + ": " + help)
	}
	e := dialogElem{Label: cut(f.Label, labelBytes), Name: f.Name, Help: cut(help, helpBytes), Optional: !f.Required, Default: f.Value}
	switch {
	case f.Kind == chatops.Choice:
		e.Type = "select"
		for _, o := range f.Options {
			e.Options = append(e.Options, option{o, o})
		}
		return e
	case f.Kind == chatops.Lines || len(f.Value) > comfortBytes:
		e.Type, e.MaxLength = "textarea", linesBytes
	default:
		e.Type, e.MaxLength = "text", lineBytes
	}
	if len(e.Default) > e.MaxLength { // half of it would be another value
		e.Default = ""
	}
	return e
}

// cut is a text of at most so many bytes, which shows that it was longer.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = s[:limit-len("…")]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// submission is a dialog that was filled in. Nothing signs it, and its state was in a browser: that is sealed, for the person who
// opened the dialog alone.
type submission struct {
	Type      string         `json:"type"`
	State     string         `json:"state"`
	UserID    string         `json:"user_id"`
	ChannelID string         `json:"channel_id"`
	TeamID    string         `json:"team_id"`
	Values    map[string]any `json:"submission"`
	Cancelled bool           `json:"cancelled"`
}

func (s submission) values() map[string]string {
	out := map[string]string{}
	for name, v := range s.Values {
		out[name] = ""
		if v != nil {
			out[name] = fmt.Sprint(v)
		}
	}
	return out
}

// dialog takes a dialog that was filled in, and shows in it what is wrong.
func (h *Handler) dialog(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	var sent submission
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&sent); err != nil {
		return fault.Refused(fault.Invalid, "the body is no JSON").Because(err)
	}
	if sent.Cancelled {
		c.JSON(http.StatusOK, gin.H{})
		return nil
	}
	ctx := c.Request.Context()
	var cmd chatops.Command
	var problem error
	in, err := h.service.Judge(ctx, c.Param("id"), enum.Mattermost, chatops.Asked{Kind: enum.Interaction, UserID: sent.UserID}, func(in *models.ChatIntegration, _ string) enum.Verdict {
		cmd, problem = h.service.Submitted(ctx, in, chatops.Command{Workspace: sent.TeamID, ChannelID: sent.ChannelID, UserID: sent.UserID}, sent.State, sent.values())
		return verdict(problem)
	})
	var wrong *chatops.InputsError
	switch {
	case err != nil:
		return err
	case errors.As(problem, &wrong):
		c.JSON(http.StatusOK, gin.H{"errors": gin.H{wrong.FieldOf(sent.values()): sentence(wrong.Problem)}})
		return nil
	case fault.KindOf(problem) == fault.Invalid:
		c.JSON(http.StatusOK, gin.H{"error": sentence(fault.Message(problem))})
		return nil
	case problem != nil:
		return problem
	}
	answer, err := h.service.Receive(ctx, in, cmd)
	if err != nil {
		return err
	}
	body := gin.H{}
	if answer.Refused {
		body["error"] = strings.ReplaceAll(chatops.Links(answer.Text, keep, leading), "`", "'")
	}
	c.JSON(http.StatusOK, body)
	return nil
}

func keep(s string) string { return s }

// leading is a link where none can be shown.
func leading(text, address string) string {
	if text == address {
		return address
	}
	return text + " (" + address + ")"
}

// sentence is a text that stands alone: nothing of it is markup.
func sentence(s string) string {
	if r, n := utf8.DecodeRuneInString(s); n > 0 {
		s = strings.ToUpper(string(r)) + s[n:]
	}
	return strings.TrimSuffix(strings.ReplaceAll(s, "`", "'"), ".") + "."
}
