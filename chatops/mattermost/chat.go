package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"signalbox/chatops"
)

// Chat is how messages reach Mattermost.
type Chat struct{}

// Traits of Mattermost (facts: chatops 3). Every team has a server of its own, which the integration names.
func (Chat) Traits() chatops.Traits {
	return chatops.Traits{Window: 30 * time.Minute, Uses: 5, Limit: chatops.MaxReply, Live: true, Files: true, FormFields: 20, OwnServer: true}
}

// Respond posts to the response address.
func (Chat) Respond(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) error {
	body := map[string]any{"response_type": "in_channel", "skip_slack_parsing": true}
	if m.Kind == chatops.Notice {
		body["response_type"] = "ephemeral"
	}
	if plainly(m) {
		body["text"] = message(m)
		if len(m.Buttons) > 0 {
			body["attachments"] = []attachment{{Actions: actions(m.Buttons, m.ActionURL)}}
		}
	} else {
		body["attachments"] = attachments(m)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res, err := p.Do(ctx, chatops.Request{Address: to.Handle, Body: raw})
	if err != nil {
		return err
	}
	return res.Failure("the response address")
}

func post(to chatops.Target, m chatops.Message) map[string]any {
	if plainly(m) {
		body := map[string]any{"channel_id": to.Channel, "root_id": to.Thread, "message": message(m)}
		if len(m.Buttons) > 0 {
			body["props"] = map[string]any{"attachments": []attachment{{Actions: actions(m.Buttons, m.ActionURL)}}}
		}
		return body
	}
	return map[string]any{"channel_id": to.Channel, "root_id": to.Thread, "message": "", "props": map[string]any{"attachments": attachments(m)}}
}

// Update changes a post of the bot.
func (Chat) Update(ctx context.Context, p chatops.Poster, to chatops.Target, id string, m chatops.Message) error {
	body := post(to, m)
	delete(body, "channel_id")
	delete(body, "root_id")
	_, err := call(ctx, p, to, http.MethodPut, "/posts/"+url.PathEscape(id)+"/patch", body)
	return err
}

// Whisper shows a post to one user, which needs a right that an administrator gives to the bot.
func (Chat) Whisper(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) error {
	_, err := call(ctx, p, to, http.MethodPost, "/posts/ephemeral", map[string]any{"user_id": to.User, "post": post(to, m)})
	return err
}

// Upload sends a file and the post that shows it.
func (Chat) Upload(ctx context.Context, p chatops.Poster, to chatops.Target, f chatops.File) error {
	if to.Server == "" {
		return errNowhere
	}
	where := to.Server + "/api/v4/files?" + url.Values{"channel_id": {to.Channel}, "filename": {f.Name}}.Encode()
	res, err := p.Do(ctx, chatops.Request{Address: where, Authorization: "Bearer " + to.Bot, ContentType: "application/octet-stream", Body: f.Content})
	if err == nil {
		err = res.Failure("mattermost")
	}
	if err != nil {
		return err
	}
	var answer struct {
		Infos []struct{ ID string } `json:"file_infos"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || len(answer.Infos) == 0 {
		return errors.New("mattermost's answer cannot be read")
	}
	_, err = call(ctx, p, to, http.MethodPost, "/posts", map[string]any{
		"channel_id": to.Channel, "root_id": to.Thread, "message": f.Title, "file_ids": []string{answer.Infos[0].ID}, "pending_post_id": f.Key,
	})
	return err
}

var errNowhere = &chatops.Refused{Reason: "it is not known where this Mattermost is: name its address in the integration"}

func call(ctx context.Context, p chatops.Poster, to chatops.Target, method, path string, body any) (id string, err error) {
	var answer struct{ ID string }
	err = ask(ctx, p, to, method, path, body, &answer)
	return answer.ID, err
}

// ask calls the server and reads its answer.
func ask(ctx context.Context, p chatops.Poster, to chatops.Target, method, path string, body, answer any) error {
	if to.Server == "" {
		return errNowhere
	}
	q := chatops.Request{Method: method, Address: to.Server + "/api/v4" + path, Authorization: "Bearer " + to.Bot}
	var err error
	if body == nil {
		q.Most = 16 << 20 // of lists
	} else if q.Body, err = json.Marshal(body); err != nil {
		return err
	}
	res, err := p.Do(ctx, q)
	if err == nil {
		err = res.Failure("mattermost")
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(res.Body, answer); err != nil {
		return errors.New("mattermost's answer cannot be read")
	}
	return nil
}
