package mattermost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"signalbox/chatops"
)

// Chat is how messages reach Mattermost.
type Chat struct{}

// Traits of Mattermost (facts: chatops 3). Every team has a server of its own, which the integration names.
func (Chat) Traits() chatops.Traits {
	return chatops.Traits{Window: 30 * time.Minute, Uses: 5, Limits: limits, Live: true, Files: true, FormFields: 20, OwnServer: true, AsksAlone: true, Channel: known}
}

// Respond posts to the response address.
func (Chat) Respond(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) error {
	body := map[string]any{"response_type": "in_channel", "skip_slack_parsing": true}
	if m.Kind == chatops.Notice {
		body["response_type"] = "ephemeral"
	}
	if text := message(m); text != "" {
		body["text"] = text
	}
	if all := attachments(m); all != nil {
		body["attachments"] = all
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res, err := p.Do(ctx, chatops.Request{Address: to.Handle, Body: raw})
	if err != nil {
		return err
	}
	return failed(res)
}

// failed is the error of a response address, which says in its own words if it is over.
func failed(res chatops.Response) error {
	err := res.Failure("the response address")
	var refused *chatops.Refused
	if errors.As(err, &refused) && bytes.Contains(res.Body, []byte("command_webhook")) {
		refused.Over, refused.Contents, refused.Reason = true, false, "the response address is over"
	}
	return err
}

var (
	direct = regexp.MustCompile(`^[a-z0-9]{26}__[a-z0-9]{26}$`) // of two people
	group  = regexp.MustCompile(`^[0-9a-f]{40}$`)               // of several
)

// known says whether a channel's name is one that people know, and no mark of a conversation. Bridges that give Slack's commands to
// an address of Mattermost's kind send Slack's marks.
func known(name string) bool {
	return !direct.MatchString(name) && !group.MatchString(name) && name != "directmessage" && name != "privategroup"
}

func post(to chatops.Target, m chatops.Message) map[string]any {
	body := map[string]any{"channel_id": to.Channel, "root_id": to.Thread, "message": message(m)}
	if all := attachments(m); all != nil {
		body["props"] = map[string]any{"attachments": all}
	}
	return body
}

// Update changes a post of the bot.
func (Chat) Update(ctx context.Context, p chatops.Poster, to chatops.Target, id string, m chatops.Message) error {
	body := post(to, m)
	if body["props"] == nil { // those that are not named would stay
		body["props"] = map[string]any{"attachments": []attachment{}}
	}
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
