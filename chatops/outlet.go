package chatops

import (
	"context"
	"errors"

	"signalbox/models/enum"
)

// outlet is the one way to a chat: every message that goes there is made to fit, one that the chat refuses for what it holds is
// sent once more as plain text, and who was asked to wait is not called again before.
type outlet struct {
	Chat
	budget *budget
}

func outlets(chats map[enum.Chat]Chat, b *budget) map[enum.Chat]*outlet {
	out := map[enum.Chat]*outlet{}
	for name, c := range chats {
		out[name] = &outlet{c, b}
	}
	return out
}

// optional is what some chats can do and others cannot.
func optional[T any](s *Service, chat enum.Chat) (what T, ok bool) {
	if o := s.chats[chat]; o != nil {
		what, ok = o.Chat.(T)
	}
	return what, ok
}

// show sends a message by a way, as much of it as the chat takes.
func (o *outlet) show(to Target, kind callKind, m Message, send func(Message) error) error {
	limits := o.Traits().Limits
	err := o.budget.call(to, kind, func() error { return send(limits.Fit(m)) })
	var refused *Refused
	if !errors.As(err, &refused) || !refused.Contents || m.Bare {
		return err
	}
	return o.budget.call(to, kind, func() error { return send(limits.Fit(m.Plainly())) })
}

// Plainly is a message as text alone, which every chat takes.
func (m Message) Plainly() Message {
	if text := PlainRich(m.Rich); text != "" {
		if m.Output != "" {
			m.Output += "\n"
		}
		m.Output += text
	}
	m.Rich, m.Buttons, m.Bare = nil, nil, true
	return m
}

// Respond sends to the handle of a command.
func (o *outlet) Respond(ctx context.Context, p Poster, to Target, m Message) error {
	return o.show(to, callRespond, m, func(m Message) error { return o.Chat.Respond(ctx, p, to, m) })
}

// Post sends as the bot.
func (o *outlet) Post(ctx context.Context, p Poster, to Target, m Message) (out Posted, err error) {
	err = o.show(to, callPost, m, func(m Message) error {
		out, err = o.Chat.Post(ctx, p, to, m)
		return err
	})
	return out, err
}

// Update puts a message in the place of another one of the bot's.
func (o *outlet) Update(ctx context.Context, p Poster, to Target, id string, m Message) error {
	return o.show(to, callUpdate, m, func(m Message) error { return o.Chat.Update(ctx, p, to, id, m) })
}

// Whisper shows a message to one user, as the bot.
func (o *outlet) Whisper(ctx context.Context, p Poster, to Target, m Message) error {
	return o.show(to, callWhisper, m, func(m Message) error { return o.Chat.Whisper(ctx, p, to, m) })
}

// Upload sends a file as the bot.
func (o *outlet) Upload(ctx context.Context, p Poster, to Target, f File) error {
	return o.budget.call(to, callUpload, func() error { return o.Chat.Upload(ctx, p, to, f) })
}
