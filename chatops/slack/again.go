package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"signalbox/chatops"
)

// metadata is what a message carries that nobody sees. It is how a message of ours is known again: chat.postMessage takes no
// key of its own that would keep it from posting twice.
type metadata struct {
	Type    string            `json:"event_type"`
	Payload map[string]string `json:"event_payload"`
}

const eventType = "signalbox_message"

func marked(m chatops.Message) *metadata {
	if m.Key == "" {
		return nil
	}
	return &metadata{eventType, map[string]string{"key": m.Key}}
}

// Post sends with chat.postMessage. If an earlier try may have reached Slack, the channel or thread is searched for it first.
// The id is channel and time of the message.
func (ch Chat) Post(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) (out chatops.Posted, err error) {
	if m.Key != "" && !m.Since.IsZero() {
		if out, err = ch.find(ctx, p, to, m); err != nil || out.ID != "" {
			return out, err
		}
	}
	a, err := ch.call(ctx, p, to, "chat.postMessage", body{Channel: to.Channel, Thread: to.Thread, Text: ch.Text(m), Blocks: blocks(m), Metadata: marked(m)})
	if err == nil && a.TS != "" {
		out.ID = cmp.Or(a.Channel, to.Channel) + "/" + a.TS
	}
	return out, err
}

const (
	pageSize = 200
	maxPages = 5
)

// find looks for a message among those since its first try. A bot without the right to read the channel cannot look.
func (ch Chat) find(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) (chatops.Posted, error) {
	method := "conversations.history"
	ask := url.Values{
		"channel": {to.Channel}, "oldest": {fmt.Sprintf("%d.000000", m.Since.Add(-chatops.ClockSkew).Unix())},
		"include_all_metadata": {"true"}, "limit": {strconv.Itoa(pageSize)},
	}
	if to.Thread != "" {
		method = "conversations.replies"
		ask.Set("ts", to.Thread)
	}
	for range maxPages {
		found, more, err := ch.page(ctx, p, to, method, ask, m.Key)
		var refused *chatops.Refused
		if errors.As(err, &refused) {
			return chatops.Posted{Note: chatops.NoteBlind}, nil
		}
		if err != nil {
			return chatops.Posted{}, err
		}
		if found != "" {
			return chatops.Posted{ID: to.Channel + "/" + found, Note: chatops.NoteFound}, nil
		}
		if more == "" {
			return chatops.Posted{}, nil
		}
		ask.Set("cursor", more)
	}
	return chatops.Posted{Note: chatops.NoteLong}, nil
}

// page reads one page of a history: the time of the message with a key, and where the next page begins.
func (ch Chat) page(ctx context.Context, p chatops.Poster, to chatops.Target, method string, ask url.Values, key string) (found, more string, err error) {
	res, err := p.Do(ctx, chatops.Request{
		Address: ch.api() + "/" + method, Authorization: "Bearer " + to.Bot, ContentType: "application/x-www-form-urlencoded",
		Body: []byte(ask.Encode()), Most: 4 << 20,
	})
	if _, err = read(res, err); err != nil {
		return "", "", err
	}
	var page struct {
		Messages []struct {
			TS       string `json:"ts"`
			Metadata struct {
				Type    string         `json:"event_type"`
				Payload map[string]any `json:"event_payload"`
			} `json:"metadata"`
		} `json:"messages"`
		Next struct {
			Cursor string `json:"next_cursor"`
		} `json:"response_metadata"`
	}
	if err := json.NewDecoder(bytes.NewReader(res.Body)).Decode(&page); err != nil {
		return "", "", errors.New("slack's answer cannot be read")
	}
	for _, m := range page.Messages {
		if m.Metadata.Type == eventType && m.Metadata.Payload["key"] == key {
			return m.TS, "", nil
		}
	}
	return "", strings.TrimSpace(page.Next.Cursor), nil
}
