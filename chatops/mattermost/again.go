package mattermost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"signalbox/chatops"
)

// keyProp holds the key of a post of ours. The server itself forgets keys after half a minute.
const keyProp = "signalbox_key"

// Post sends as the bot. The server answers a second post of a key with the first one while it remembers that; later the
// channel is searched for it.
func (Chat) Post(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) (out chatops.Posted, err error) {
	if m.Key != "" && !m.Since.IsZero() {
		if out, err = find(ctx, p, to, m); err != nil || out.ID != "" {
			return out, err
		}
	}
	body := post(to, m)
	if m.Key != "" {
		props, _ := body["props"].(map[string]any)
		if props == nil {
			props = map[string]any{}
		}
		props[keyProp] = m.Key
		body["props"], body["pending_post_id"] = props, m.Key
	}
	out.ID, err = call(ctx, p, to, http.MethodPost, "/posts", body)
	return out, err
}

// most is how many posts the server gives at once.
const most = 1000

// find looks for a message among the posts of its channel since its first try.
func find(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) (chatops.Posted, error) {
	var page struct {
		Posts map[string]struct {
			Deleted int64          `json:"delete_at"`
			Props   map[string]any `json:"props"`
		} `json:"posts"`
	}
	since := m.Since.Add(-chatops.ClockSkew).UnixMilli()
	err := ask(ctx, p, to, http.MethodGet, fmt.Sprintf("/channels/%s/posts?since=%d", url.PathEscape(to.Channel), since), nil, &page)
	var refused *chatops.Refused
	if errors.As(err, &refused) {
		return chatops.Posted{Note: chatops.NoteBlind}, nil
	}
	if err != nil {
		return chatops.Posted{}, err
	}
	for id, found := range page.Posts {
		if found.Props[keyProp] == m.Key && found.Deleted == 0 {
			return chatops.Posted{ID: id, Note: chatops.NoteFound}, nil
		}
	}
	if len(page.Posts) >= most {
		return chatops.Posted{Note: chatops.NoteLong}, nil
	}
	return chatops.Posted{}, nil
}
