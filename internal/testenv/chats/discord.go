package chats

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// Discord plays discord.com.
type Discord struct {
	*Server
	App    string // id of the application
	Public string // its public key, as Discord shows it
	Target string // where interactions go
	key    ed25519.PrivateKey
}

// NewDiscord starts a server with one application. Its API is at URL + "/api/v10".
func NewDiscord(t testing.TB) *Discord {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &Discord{Server: newServer(t, "discord-bot-token", discordDrawing), App: "110000000000000001", Public: hex.EncodeToString(public), key: private}
	d.serve(d.route, func(f *Fault) (int, any) {
		switch {
		case f.Inside != "":
			return 200, f.Inside // a proxy's page
		case f.Status == 429:
			return 429, map[string]any{"message": "You are being rate limited.", "retry_after": f.After.Seconds(), "global": false}
		}
		return f.Status, map[string]any{"message": "it failed", "code": 0}
	})
	return d
}

var discordPaths = []struct {
	method string
	path   *regexp.Regexp
	kind   string
	e      func(*Discord, []string) endpoint
}{
	{"POST", regexp.MustCompile(`^/api/v10/webhooks/(\d+)/([\w.-]+)$`), "respond", (*Discord).followUp},
	{"PATCH", regexp.MustCompile(`^/api/v10/webhooks/(\d+)/([\w.-]+)/messages/(@original|\d+)$`), "respond", (*Discord).editFollowUp},
	{"POST", regexp.MustCompile(`^/api/v10/channels/(\d+)/messages$`), "post", (*Discord).create},
	{"PATCH", regexp.MustCompile(`^/api/v10/channels/(\d+)/messages/(\d+)$`), "update", (*Discord).change},
	{"POST", regexp.MustCompile(`^/api/v10/users/@me/channels$`), "whisper", (*Discord).direct},
	{"PUT", regexp.MustCompile(`^/api/v10/applications/(\d+)/commands$`), "commands", (*Discord).commands},
}

func (d *Discord) route(r *http.Request) (string, endpoint) {
	for _, p := range discordPaths {
		if m := p.path.FindStringSubmatch(r.URL.Path); m != nil && p.method == r.Method {
			kind := p.kind
			if kind == "post" && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
				kind = "upload"
			}
			if kind == "post" && strings.HasPrefix(m[1], "9") { // a channel of one person
				kind = "whisper"
			}
			return kind, p.e(d, m)
		}
	}
	return "", nil
}

func discordError(status, code int, text string) (int, any) {
	return status, map[string]any{"code": code, "message": text}
}

func (d *Discord) bot(e endpoint) endpoint {
	return func(r *http.Request, body []byte) (int, any) {
		if r.Header.Get("Authorization") != "Bot "+d.Token {
			return discordError(401, 0, "401: Unauthorized")
		}
		if wait := d.hurried(r.URL.Path); wait > 0 {
			return 429, map[string]any{"message": "You are being rate limited.", "retry_after": wait.Seconds(), "global": false}
		}
		return e(r, body)
	}
}

type discordEmbed struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	Color       int    `json:"color"`
	Fields      []struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Inline bool   `json:"inline"`
	} `json:"fields"`
	Footer *struct {
		Text string `json:"text"`
	} `json:"footer"`
}

type discordComponent struct {
	Type       int                `json:"type"`
	Style      int                `json:"style"`
	Label      string             `json:"label"`
	CustomID   string             `json:"custom_id"`
	URL        string             `json:"url"`
	Components []discordComponent `json:"components"`
}

type discordMessage struct {
	Content    string              `json:"content"`
	Flags      int                 `json:"flags"`
	Embeds     *[]discordEmbed     `json:"embeds"`
	Components *[]discordComponent `json:"components"`
	Allowed    *struct {
		Parse []string `json:"parse"`
		Users []string `json:"users"`
		Roles []string `json:"roles"`
	} `json:"allowed_mentions"`
	Attachments []struct {
		ID          int    `json:"id"`
		Filename    string `json:"filename"`
		Description string `json:"description"`
	} `json:"attachments"`
	Reference *struct {
		MessageID string `json:"message_id"`
		MustExist bool   `json:"fail_if_not_exists"`
	} `json:"message_reference"`
	Choices []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"choices"`
	Nonce  string `json:"nonce"`
	Unique bool   `json:"enforce_nonce"`
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

// contents checks a message; problem says what is wrong.
func (d *Discord) contents(in discordMessage) (m Message, problem string) {
	if in.Allowed == nil || len(in.Allowed.Parse) > 0 {
		d.complain("a message whose text may mention everyone: %q", in.Content)
	}
	if units(in.Content) > 2000 {
		return m, "content: Must be 2000 or fewer in length."
	}
	m.Text = in.Content
	if in.Embeds != nil {
		if len(*in.Embeds) > 10 {
			return m, "embeds: Must be 10 or fewer in length."
		}
		total := 0
		for _, e := range *in.Embeds {
			c := Card{Title: e.Title, Text: e.Description}
			if e.Color != 0 {
				c.Color = fmt.Sprintf("#%06x", e.Color)
			}
			if e.Title+e.Description == "" && len(e.Fields) == 0 || units(e.Title) > 256 || units(e.Description) > 4096 || len(e.Fields) > 25 {
				return m, "embeds: Invalid"
			}
			total += units(e.Title) + units(e.Description)
			for _, f := range e.Fields {
				if f.Name == "" || f.Value == "" || units(f.Name) > 256 || units(f.Value) > 1024 {
					return m, "embeds.fields: Invalid"
				}
				total += units(f.Name) + units(f.Value)
				c.Fields = append(c.Fields, Field{f.Name, f.Value, f.Inline})
			}
			m.Cards = append(m.Cards, c)
		}
		if total > 6000 {
			return m, "embeds: Embed size exceeds maximum size of 6000"
		}
	}
	if in.Components != nil {
		if problem := d.components(*in.Components, &m); problem != "" {
			return m, problem
		}
	}
	if m.Text == "" && len(m.Cards) == 0 && len(in.Attachments) == 0 {
		return m, "Cannot send an empty message"
	}
	return m, ""
}

// CheckDiscord says what Discord would refuse a message for.
func CheckDiscord(raw []byte) error {
	var in discordMessage
	if err := strict(raw, &in); err != nil {
		return err
	}
	if _, problem := (&Discord{Server: &Server{}}).contents(in); problem != "" {
		return errors.New(problem)
	}
	return nil
}

func (d *Discord) components(rows []discordComponent, m *Message) string {
	if len(rows) > 5 {
		return "components: Must be 5 or fewer in length."
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if row.Type != 1 || len(row.Components) == 0 || len(row.Components) > 5 {
			return "components: Invalid row"
		}
		for _, b := range row.Components {
			switch {
			case b.Type != 2 || b.Label == "" || units(b.Label) > 80 || b.Style < 1 || b.Style > 5:
				return "components: Invalid button"
			case b.Style == 5 && b.URL == "", b.Style != 5 && (b.CustomID == "" || units(b.CustomID) > 100 || seen[b.CustomID]):
				return "components: Invalid custom_id"
			}
			seen[b.CustomID] = true
			style := map[int]string{1: "primary", 2: "", 3: "success", 4: "danger", 5: "link"}[b.Style]
			m.Buttons = append(m.Buttons, Button{Label: b.Label, Style: style, ID: b.CustomID, Link: b.URL})
		}
	}
	return ""
}

// read reads a message from a request, with its files.
func (d *Discord) read(r *http.Request, body []byte) (in discordMessage, m Message, status int, answer any) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var files []File
	if kind == "multipart/form-data" {
		parts := multipart.NewReader(strings.NewReader(string(body)), params["boundary"])
		body = nil
		for {
			p, err := parts.NextPart()
			if err != nil {
				break
			}
			raw, _ := io.ReadAll(p)
			if p.FormName() == "payload_json" {
				body = raw
			} else if strings.HasPrefix(p.FormName(), "files[") && p.FileName() != "" {
				files = append(files, File{ID: strconv.Itoa(d.next()), Name: p.FileName(), Content: raw, Type: http.DetectContentType(raw)})
			}
		}
	} else if kind != "application/json" {
		d.complain("%s as %s", r.URL.Path, kind)
	}
	if err := strict(body, &in); err != nil {
		d.complain("%s: %v: %s", r.URL.Path, err, body)
		status, answer = discordError(400, 50109, "The request body contains invalid JSON.")
		return in, m, status, answer
	}
	m, problem := d.contents(in)
	if problem != "" {
		d.complain("%s: %s", r.URL.Path, problem)
		status, answer = discordError(400, 50035, "Invalid Form Body: "+problem)
		return in, m, status, answer
	}
	for i := range files {
		if i < len(in.Attachments) {
			files[i].Title = in.Attachments[i].Description
		}
	}
	m.Files = files
	return in, m, 0, nil
}

func (d *Discord) id() string { return strconv.Itoa(200000000000000000 + d.next()) }

func (d *Discord) hook(m []string) (*handle, int, any) {
	h := d.handles[m[2]]
	if h == nil || m[1] != d.App {
		d.complain("no interaction %s of %s", m[2], m[1])
		status, answer := discordError(404, 10015, "Unknown Webhook")
		return nil, status, answer
	}
	if d.Now().After(h.made.Add(15 * time.Minute)) {
		d.complain("a post to an interaction that is over")
		status, answer := discordError(401, 50027, "Invalid Webhook Token")
		return nil, status, answer
	}
	return h, 0, nil
}

func (d *Discord) followUp(p []string) endpoint {
	return func(r *http.Request, body []byte) (int, any) {
		h, status, answer := d.hook(p)
		if h == nil {
			return status, answer
		}
		if r.Header.Get("Authorization") != "" {
			d.complain("a token was sent to an interaction's address")
		}
		in, m, status, answer := d.read(r, body)
		if status != 0 {
			return status, answer
		}
		if h.deferred >= 0 { // the first message takes the place of the one that is due, as private as that
			d.complain("a follow-up came before the answer that is due")
			in.Flags, h.deferred = h.deferred, -1
		}
		m.ID, m.Channel, m.Handle = d.id(), h.channel, true
		if in.Flags&64 != 0 {
			m.To = h.user
		}
		d.show(&m)
		return 200, map[string]any{"id": m.ID, "channel_id": m.Channel, "content": m.Text}
	}
}

func (d *Discord) editFollowUp(p []string) endpoint {
	return func(r *http.Request, body []byte) (int, any) {
		h, status, answer := d.hook(p)
		if h == nil {
			return status, answer
		}
		_, with, status, answer := d.read(r, body)
		if status != 0 {
			return status, answer
		}
		id := p[3]
		if id == "@original" {
			id = h.original
		}
		m := d.find(id)
		if m == nil {
			return discordError(404, 10008, "Unknown Message")
		}
		h.deferred = -1
		d.edit(m, with)
		return 200, map[string]any{"id": m.ID, "channel_id": m.Channel, "content": m.Text}
	}
}

func (d *Discord) create(p []string) endpoint {
	return d.bot(func(r *http.Request, body []byte) (int, any) {
		if d.absent[p[1]] {
			return discordError(403, 50001, "Missing Access")
		}
		in, m, status, answer := d.read(r, body)
		if status != 0 {
			return status, answer
		}
		if in.Flags&64 != 0 {
			d.complain("a bot's message cannot be for one user")
		}
		if units(in.Nonce) > 25 || in.Unique != (in.Nonce != "") {
			d.complain("nonce %q, enforced: %v", in.Nonce, in.Unique)
		}
		if old := d.keyed(in.Nonce, 3*time.Minute); old != nil && in.Unique {
			return 200, map[string]any{"id": old.ID, "channel_id": old.Channel, "content": old.Text, "nonce": in.Nonce}
		}
		m.ID, m.Channel, m.Key = d.id(), p[1], in.Nonce
		if in.Reference != nil {
			if d.find(in.Reference.MessageID) == nil && in.Reference.MustExist {
				return discordError(400, 50035, "Invalid Form Body: message_reference: Unknown message")
			}
			m.Thread = in.Reference.MessageID
		}
		if user, ok := strings.CutPrefix(p[1], "9"); ok { // a channel of one person; the tests' channels begin otherwise
			m.To = user
		}
		d.show(&m)
		return 200, map[string]any{"id": m.ID, "channel_id": m.Channel, "content": m.Text}
	})
}

func (d *Discord) change(p []string) endpoint {
	return d.bot(func(r *http.Request, body []byte) (int, any) {
		m := d.find(p[2])
		switch {
		case d.absent[p[1]]:
			return discordError(403, 50001, "Missing Access")
		case m == nil || m.Channel != p[1]:
			return discordError(404, 10008, "Unknown Message")
		case m.Author != Bot || m.Handle:
			return discordError(403, 50005, "Cannot edit a message authored by another user")
		}
		in, with, status, answer := d.read(r, body)
		if status != 0 {
			return status, answer
		}
		if in.Embeds == nil { // what is not named stays
			with.Cards = m.Cards
		}
		if in.Components == nil {
			with.Buttons = m.Buttons
		}
		d.edit(m, with)
		return 200, map[string]any{"id": m.ID, "channel_id": m.Channel, "content": m.Text}
	})
}

// direct opens the channel of one person, which here is 9 and the person's id.
func (d *Discord) direct([]string) endpoint {
	return d.bot(func(_ *http.Request, body []byte) (int, any) {
		var in struct {
			Recipient string `json:"recipient_id"`
		}
		if err := strict(body, &in); err != nil || in.Recipient == "" {
			d.complain("a direct channel: %s", body)
			return discordError(400, 50035, "Invalid Form Body")
		}
		return 200, map[string]any{"id": "9" + in.Recipient, "type": 1}
	})
}

var discordName = regexp.MustCompile(`^[-_a-z0-9]{1,32}$`)

func (d *Discord) commands(p []string) endpoint {
	return d.bot(func(_ *http.Request, body []byte) (int, any) {
		type option struct {
			Type         int    `json:"type"`
			Name         string `json:"name"`
			Description  string `json:"description"`
			Required     bool   `json:"required"`
			Autocomplete bool   `json:"autocomplete"`
			Max          int    `json:"max_length"`
		}
		var in []struct {
			Type        int      `json:"type"`
			Name        string   `json:"name"`
			Description string   `json:"description"`
			Options     []option `json:"options"`
		}
		if err := strict(body, &in); err != nil || p[1] != d.App {
			d.complain("commands: %v: %s", err, body)
			return discordError(400, 50035, "Invalid Form Body")
		}
		for _, c := range in {
			bad := !discordName.MatchString(c.Name) || c.Description == "" || units(c.Description) > 100
			optional := false
			for _, o := range c.Options {
				bad = bad || !discordName.MatchString(o.Name) || o.Description == "" || units(o.Description) > 100 || o.Type != 3 || o.Required && optional
				optional = optional || !o.Required
			}
			if bad {
				d.complain("command %+v", c)
				return discordError(400, 50035, "Invalid Form Body")
			}
		}
		return 200, json.RawMessage(body)
	})
}

func (d *Discord) post(body string, c Command) Receipt {
	r := d.request("POST", d.Target, "application/json", body)
	at := c.Stamp
	if at.IsZero() {
		at = d.Now()
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("X-Signature-Timestamp", stamp)
	r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(d.key, []byte(stamp+body))))
	return d.send(r, c)
}

// Ping is how Discord tries the address, with a good signature and with a bad one.
func (d *Discord) Ping(good bool) Receipt {
	d.t.Helper()
	c := Command{}
	if !good {
		c.Change = func(r *http.Request) { r.Header.Set("X-Signature-Ed25519", strings.Repeat("00", 64)) }
	}
	return d.post(`{"id":"1","application_id":"`+d.App+`","type":1,"token":"t","version":1}`, c)
}

func (d *Discord) interaction(kind int, id, channel, user string, data map[string]any, message map[string]any) (token, body string) {
	token = d.once(id, func() string {
		d.mu.Lock()
		defer d.mu.Unlock()
		token := "token" + strconv.Itoa(d.next())
		d.handles[token] = &handle{channel: channel, user: user, made: d.Now(), deferred: -1}
		return token
	})
	all := map[string]any{
		"id": id, "application_id": d.App, "type": kind, "token": token, "version": 1, "guild_id": "300000000000000001", "channel_id": channel,
		"channel": map[string]any{"id": channel, "name": "ops", "type": 0}, "locale": "en-US", "data": data,
		"member": map[string]any{"user": map[string]any{"id": user, "username": "name-" + user, "global_name": "Name"}, "roles": []string{}},
	}
	if message != nil {
		all["message"] = message
	}
	raw, _ := json.Marshal(all)
	return token, string(raw)
}

// Say gives a command: `/run` with its options if it runs something, `/signalbox` with all of it otherwise.
func (d *Discord) Say(c Command) Receipt {
	d.t.Helper()
	if c.ID == "" {
		c.ID = strconv.Itoa(int(time.Now().UnixNano()))
	}
	data := map[string]any{"id": "1", "type": 1, "name": "signalbox", "options": []any{map[string]any{"type": 3, "name": "command", "value": c.Text}}}
	if rest, ok := strings.CutPrefix(c.Text, "run "); ok {
		job, args, more := strings.Cut(rest, " ")
		options := []any{map[string]any{"type": 3, "name": "job", "value": job}}
		if more {
			options = append(options, map[string]any{"type": 3, "name": "args", "value": args})
		}
		data = map[string]any{"id": "2", "type": 1, "name": "run", "options": options}
	}
	token, body := d.interaction(2, c.ID, c.Channel, c.User, data, nil)
	out := d.post(body, c)
	d.answerTo(token, c, &out)
	return out
}

// Suggest asks for the jobs that begin with what was typed.
func (d *Discord) Suggest(channel, user, typed string) []string {
	d.t.Helper()
	return d.suggest(channel, user, map[string]any{"type": 3, "name": "job", "value": typed, "focused": true})
}

// SuggestArguments asks how the arguments of a job go on.
func (d *Discord) SuggestArguments(channel, user, job, typed string) []string {
	d.t.Helper()
	return d.suggest(channel, user, map[string]any{"type": 3, "name": "job", "value": job}, map[string]any{"type": 3, "name": "args", "value": typed, "focused": true})
}

func (d *Discord) suggest(channel, user string, options ...map[string]any) []string {
	d.t.Helper()
	_, body := d.interaction(4, strconv.Itoa(int(time.Now().UnixNano())), channel, user, map[string]any{"id": "2", "type": 1, "name": "run", "options": options}, nil)
	out := d.post(body, Command{})
	var a struct {
		Type int
		Data discordMessage
	}
	if err := json.Unmarshal([]byte(out.Body), &a); err != nil || out.Status != 200 || a.Type != 8 || len(a.Data.Choices) > 25 {
		d.t.Fatalf("the answer to autocomplete: %d %s", out.Status, out.Body)
	}
	names := []string{}
	for _, c := range a.Data.Choices {
		if c.Name == "" || units(c.Name) > 100 || units(c.Value) > 100 {
			d.Complain("a choice %+v", c)
		}
		names = append(names, c.Value)
	}
	return names
}

// answerTo shows the answer to an interaction.
func (d *Discord) answerTo(token string, c Command, out *Receipt) {
	d.t.Helper()
	if out.Status != 200 {
		return
	}
	var kind struct {
		Type int             `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := strict([]byte(out.Body), &kind); err == nil && kind.Type == 9 {
		d.opened(kind.Data, c)
		return
	}
	var a struct {
		Type int            `json:"type"`
		Data discordMessage `json:"data"`
	}
	if err := strict([]byte(out.Body), &a); err != nil {
		d.Complain("the answer to an interaction: %v: %s", err, out.Body)
		return
	}
	everyone := a.Data.Flags&64 == 0
	switch a.Type {
	case 4:
		d.answered(c, everyone, a.Data.Content, func() (Message, string) { return d.contents(a.Data) }, out)
	case 5:
		d.answered(c, everyone, "…", func() (Message, string) { return Message{Text: "*signalbox is thinking…*"}, "" }, out)
		d.mu.Lock()
		d.handles[token].deferred = a.Data.Flags
		d.mu.Unlock()
	case 6:
		return
	default:
		d.Complain("an answer of type %d", a.Type)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handles[token].original = out.Message.ID
}

// Press presses a button of a message.
func (d *Discord) Press(user string, m Message, label string) Receipt {
	d.t.Helper()
	return d.PressAs(user, m, d.button(m, label))
}

// PressAs sends a press of a button as it is, be it in the message or not.
func (d *Discord) PressAs(user string, m Message, b Button) Receipt {
	d.t.Helper()
	token, body := d.interaction(3, strconv.Itoa(int(time.Now().UnixNano())), m.Channel, user, map[string]any{"component_type": 2, "custom_id": b.ID},
		map[string]any{"id": m.ID, "channel_id": m.Channel, "content": m.Text})
	out := d.post(body, Command{})
	d.answerTo(token, Command{Channel: m.Channel, User: user, Text: "(presses " + b.Label + ")"}, &out)
	return out
}
