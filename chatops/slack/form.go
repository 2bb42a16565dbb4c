package slack

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/models"
)

// Slack's bounds of modals, in characters.
const (
	titleChars  = 24
	hintChars   = 2000
	valueChars  = 3000
	statedIn    = "value" // the one element of each block
	formOfOurs  = "signalbox-form"
	chooseWords = "Choose"
)

// modal is a form as Slack shows it.
type modal struct {
	Type     string `json:"type"`
	Callback string `json:"callback_id"`
	Title    text   `json:"title"`
	Submit   text   `json:"submit"`
	Close    text   `json:"close"`
	Metadata string `json:"private_metadata"`
	Blocks   []any  `json:"blocks"`
}

type inputBlock struct {
	Type     string  `json:"type"`
	ID       string  `json:"block_id"`
	Label    text    `json:"label"`
	Hint     *text   `json:"hint,omitempty"`
	Optional bool    `json:"optional"`
	Element  element `json:"element"`
}

type element struct {
	Type          string   `json:"type"`
	Action        string   `json:"action_id"`
	Multiline     bool     `json:"multiline,omitempty"`
	Value         string   `json:"initial_value,omitempty"`
	MaxLength     int      `json:"max_length,omitempty"`
	Placeholder   *text    `json:"placeholder,omitempty"`
	Options       []choice `json:"options,omitempty"`
	InitialOption *choice  `json:"initial_option,omitempty"`
}

type choice struct {
	Text  text   `json:"text"`
	Value string `json:"value"`
}

func plainText(s string) text { return text{"plain_text", s} }

// Ask opens a modal with views.open.
func (ch Chat) Ask(ctx context.Context, p chatops.Poster, to chatops.Target, trigger string, f chatops.Form) error {
	_, err := ch.call(ctx, p, to, "views.open", struct {
		Trigger string `json:"trigger_id"`
		View    modal  `json:"view"`
	}{trigger, modalOf(f)})
	return err
}

func modalOf(f chatops.Form) modal {
	m := modal{
		Type: "modal", Callback: formOfOurs, Title: plainText(cut(f.Title, titleChars)), Submit: plainText("Run"), Close: plainText("Cancel"), Metadata: f.State,
	}
	intro := escaper.Replace(f.Text)
	if m.Title.Text != f.Title { // it is cut
		intro = strings.TrimSpace("*" + escaper.Replace(f.Title) + "*\n" + intro)
	}
	if intro != "" {
		m.Blocks = append(m.Blocks, block{Type: "section", Text: mrkdwn(short(intro, sectionChars))})
	}
	for _, field := range f.Fields {
		b := inputBlock{Type: "input", ID: field.Name, Label: plainText(field.Label), Optional: !field.Required, Element: elementOf(field)}
		if field.Hint != "" {
			hint := plainText(cut(field.Hint, hintChars))
			b.Hint = &hint
		}
		m.Blocks = append(m.Blocks, b)
	}
	return m
}

func elementOf(f chatops.FormField) element {
	if f.Kind != chatops.Choice {
		e := element{Type: "plain_text_input", Action: statedIn, Multiline: f.Kind == chatops.Lines, MaxLength: valueChars}
		if utf8.RuneCountInString(f.Value) <= valueChars {
			e.Value = f.Value
		}
		return e
	}
	words := plainText(chooseWords)
	e := element{Type: "static_select", Action: statedIn, Placeholder: &words}
	for _, o := range f.Options {
		e.Options = append(e.Options, choice{plainText(o), o})
		if o == f.Value {
			e.InitialOption = &choice{plainText(o), o}
		}
	}
	return e
}

// cut is a text of at most so many characters, which shows that it was longer.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return short(s, limit-1) + "…"
}

// view is a modal that was filled in.
type view struct {
	Metadata string `json:"private_metadata"`
	Callback string `json:"callback_id"`
	State    struct {
		Values map[string]map[string]struct {
			Value    *string `json:"value"`
			Selected *struct {
				Value string `json:"value"`
			} `json:"selected_option"`
		} `json:"values"`
	} `json:"state"`
}

func (v view) values() map[string]string {
	out := map[string]string{}
	for name, b := range v.State.Values {
		switch e := b[statedIn]; {
		case e.Selected != nil:
			out[name] = e.Selected.Value
		case e.Value != nil:
			out[name] = *e.Value
		default:
			out[name] = ""
		}
	}
	return out
}

// submit takes a form that was filled in. What is wrong is shown in it; nil closes it.
func (h *Handler) submit(ctx context.Context, in *models.ChatIntegration, from chatops.Command, v view) (answer any, err error) {
	values := v.values()
	cmd, err := h.service.Submitted(ctx, in, from, v.Metadata, values)
	var wrong *chatops.InputsError
	problem := ""
	switch {
	case errors.As(err, &wrong):
		problem = wrong.Problem
	case fault.KindOf(err) == fault.Invalid:
		wrong, problem = &chatops.InputsError{}, fault.Message(err)
	case err != nil:
		return nil, err
	default:
		cmd.MessageID = ""
		return nil, h.service.Defer(ctx, in, cmd)
	}
	return gin.H{"response_action": "errors", "errors": gin.H{wrong.FieldOf(values): sentence(problem)}}, nil
}

// sentence is a text that stands alone: nothing of it is markup.
func sentence(s string) string {
	if r, n := utf8.DecodeRuneInString(s); n > 0 {
		s = strings.ToUpper(string(r)) + s[n:]
	}
	return strings.TrimSuffix(strings.ReplaceAll(s, "`", "'"), ".") + "."
}
