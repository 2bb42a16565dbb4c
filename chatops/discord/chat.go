package discord

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"signalbox/chatops"
)

// Chat is how messages reach Discord.
type Chat struct {
	// API is the address of Discord's API; "" means Discord's own.
	API string
}

// Traits of Discord (facts: chatops 4).
func (Chat) Traits() chatops.Traits {
	return chatops.Traits{
		Hosts: []string{"discord.com"}, Window: 15 * time.Minute, Live: true, Files: true, AnswerDue: true, FormFields: modalFields, FormsFree: true, Recalls: 2 * time.Minute,
		Limits: limits, Channel: func(name string) bool { return name != "directmessage" },
	}
}

func (ch Chat) api() string { return cmp.Or(ch.API, "https://discord.com/api/v10") }

// Respond sends to the handle of an interaction. What is late takes the place of the answer that is due.
func (ch Chat) Respond(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) error {
	b := render(m)
	if m.Late {
		_, status, err := call(ctx, p, chatops.Request{Method: http.MethodPatch, Address: to.Handle + "/messages/@original"}, b)
		if status != http.StatusNotFound {
			return err
		}
	}
	if m.Kind == chatops.Notice {
		b.Flags |= alone
	}
	_, _, err := call(ctx, p, chatops.Request{Address: to.Handle}, b)
	return err
}

// Post sends as the bot. Discord answers a second post of a key with the message that the first one made, for some minutes.
func (ch Chat) Post(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) (chatops.Posted, error) {
	b := render(m)
	b.Nonce, b.Unique = m.Key, m.Key != ""
	id, _, err := call(ctx, p, ch.request(to, http.MethodPost, "/channels/"+url.PathEscape(to.Channel)+"/messages"), b)
	return chatops.Posted{ID: id}, err
}

// Update changes a message of the bot.
func (ch Chat) Update(ctx context.Context, p chatops.Poster, to chatops.Target, id string, m chatops.Message) error {
	_, _, err := call(ctx, p, ch.request(to, http.MethodPatch, "/channels/"+url.PathEscape(to.Channel)+"/messages/"+url.PathEscape(id)), render(m))
	return err
}

// Whisper sends a direct message: only answers to interactions can be for one person within a channel.
func (ch Chat) Whisper(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) error {
	id, _, err := call(ctx, p, ch.request(to, http.MethodPost, "/users/@me/channels"), map[string]string{"recipient_id": to.User})
	if err != nil {
		return err
	}
	to.Channel = id
	_, err = ch.Post(ctx, p, to, m)
	return err
}

// Upload sends a message that is a file, as an answer to the message that lives.
func (ch Chat) Upload(ctx context.Context, p chatops.Poster, to chatops.Target, f chatops.File) error {
	b := body{
		Allowed: mentions{Parse: []string{}}, Embeds: []embed{}, Components: []row{},
		Attachments: []attachment{{0, f.Name, f.Title}}, Nonce: f.Key, Unique: f.Key != "",
	}
	if to.Thread != "" {
		b.Reference = &reference{to.Thread, false}
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("payload_json", string(raw)); err != nil {
		return err
	}
	part, err := w.CreateFormFile("files[0]", f.Name)
	if err == nil {
		_, err = part.Write(f.Content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	q := ch.request(to, http.MethodPost, "/channels/"+url.PathEscape(to.Channel)+"/messages")
	q.ContentType, q.Body = w.FormDataContentType(), form.Bytes()
	_, _, err = read(p.Do(ctx, q))
	return err
}

// Register tells Discord which commands there are.
func (ch Chat) Register(ctx context.Context, p chatops.Poster, to chatops.Target) error {
	_, _, err := call(ctx, p, ch.request(to, http.MethodPut, "/applications/"+url.PathEscape(to.App)+"/commands"), commands)
	return err
}

func (ch Chat) request(to chatops.Target, method, path string) chatops.Request {
	return chatops.Request{Method: method, Address: ch.api() + path, Authorization: "Bot " + to.Bot}
}

// agent is how Discord wants bots to name themselves.
const agent = "DiscordBot (signalbox, 1.0)"

func call(ctx context.Context, p chatops.Poster, q chatops.Request, b any) (id string, status int, err error) {
	if q.Body, err = json.Marshal(b); err != nil {
		return "", 0, err
	}
	q.ContentType, q.Agent = "application/json", agent
	return read(p.Do(ctx, q))
}

// Codes of Discord's errors.
const (
	unknownWebhook = 10015
	invalidToken   = 50027
)

func read(res chatops.Response, err error) (id string, status int, _ error) {
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		ID         string  `json:"id"`
		Code       int     `json:"code"`
		Message    string  `json:"message"`
		RetryAfter float64 `json:"retry_after"`
	}
	broken := json.Unmarshal(res.Body, &answer) != nil && len(res.Body) > 0 && res.Body[0] != '['
	if res.RetryAfter == 0 && answer.RetryAfter > 0 {
		res.RetryAfter = time.Duration(min(answer.RetryAfter, 3600) * float64(time.Second))
	}
	switch {
	case res.OK() && broken:
		return "", res.Status, errors.New("discord's answer cannot be read")
	case answer.Code == invalidToken || answer.Code == unknownWebhook:
		return "", res.Status, &chatops.Refused{Reason: "the interaction is over: " + answer.Message, Over: true}
	case answer.Code == 50001 || answer.Code == 50013:
		return "", res.Status, &chatops.Refused{Reason: "the bot may not write in the channel: invite it there (" + answer.Message + ")"}
	case res.Status >= 400 && res.Status < 500 && res.Status != http.StatusTooManyRequests && answer.Message != "":
		return "", res.Status, &chatops.Refused{Reason: "discord does not take the message: " + answer.Message, Contents: res.Status == http.StatusBadRequest || res.Status == http.StatusRequestEntityTooLarge}
	}
	return answer.ID, res.Status, res.Failure("discord")
}
