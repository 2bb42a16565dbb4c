package chats

import (
	"fmt"
	"html"
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

// drawing is how a chat looks: its colours in light and dark, and its markup.
type drawing struct {
	Name, Light, Dark string
	bold              *regexp.Regexp
	slack             bool
	emoji             bool // :names: become pictures
}

var (
	doubleStar = regexp.MustCompile(`\*\*([^*\n]+)\*\*`)
	singleStar = regexp.MustCompile(`(^|[\s(>])\*([^*\n]+)\*`)
)

var slackDrawing = drawing{
	"Slack", "--bg:#fff;--fg:#1d1c1d;--dim:#616061;--line:#ddd;--code:#f6f6f6;--link:#1264a3;--in:#f8f8f8;--go:#007a5a;--no:#e01e5a;--btn:#fff;--at:#e8f5fa",
	"--bg:#1a1d21;--fg:#d1d2d3;--dim:#9a9b9e;--line:#3c3e42;--code:#232529;--link:#1d9bd1;--in:#222529;--go:#007a5a;--no:#e01e5a;--btn:#1a1d21;--at:#1d3a4a",
	singleStar, true, true,
}

var mattermostDrawing = drawing{
	"Mattermost", "--bg:#fff;--fg:#3f4350;--dim:#6b7080;--line:#dcdee4;--code:#f2f3f5;--link:#386fe5;--in:#f7f8fa;--go:#1c58d9;--no:#c43c3f;--btn:#eef2fc;--at:#fff4d6",
	"--bg:#1e1f25;--fg:#dddfe4;--dim:#9699a3;--line:#3a3c46;--code:#272932;--link:#5d89ea;--in:#23252d;--go:#3b66cc;--no:#c43c3f;--btn:#2b3349;--at:#4a4326",
	doubleStar, false, true,
}

var discordDrawing = drawing{
	"Discord", "--bg:#fff;--fg:#313338;--dim:#5c5e66;--line:#e3e5e8;--code:#f2f3f5;--link:#006ce7;--in:#f2f3f5;--go:#5865f2;--no:#da373c;--btn:#e3e5e8;--at:#e6e9fd",
	"--bg:#313338;--fg:#dbdee1;--dim:#949ba4;--line:#3f4147;--code:#2b2d31;--link:#00a8fc;--in:#2b2d31;--go:#5865f2;--no:#da373c;--btn:#4e5058;--at:#3c4270",
	doubleStar, false, false,
}

var (
	slackAngle   = regexp.MustCompile(`<([^>]*)>`)
	markdownLink = regexp.MustCompile(`\[((?:\\.|[^\]\n\\])+)\]\((https?://[^)\s]+)\)`)
	bareLink     = regexp.MustCompile(`(^|\s)(https?://[^\s<]+)`)
	code         = regexp.MustCompile("`([^`\n]+)`")
	escaped      = regexp.MustCompile(`\\([\[\]*_~|>` + "`" + `@#()-])`)
	angleMention = regexp.MustCompile(`&lt;(@[!&]?\d+)&gt;`)
)

var smiles = strings.NewReplacer(":wave:", "👋", ":sweat_smile:", "😅", ":boom:", "💥")

// fences is what begins and ends a block of code: three marks or more, which as many end.
var fences = regexp.MustCompile("(?m)`{3,}")

// render draws a text as the chat does, near enough to see what is wrong.
func (d drawing) render(text string) template.HTML {
	var b strings.Builder
	for text != "" {
		at := fences.FindStringIndex(text)
		if at == nil {
			break
		}
		mark := text[at[0]:at[1]]
		inside, rest, closed := strings.Cut(text[at[1]:], mark)
		if !closed {
			break
		}
		b.WriteString(d.inline(text[:at[0]]))
		if !d.slack { // the language
			if word, more, ok := strings.Cut(inside, "\n"); ok && !strings.Contains(word, " ") {
				inside = more
			}
		} else {
			inside = html.UnescapeString(inside)
		}
		b.WriteString("<pre>" + html.EscapeString(strings.Trim(inside, "\n")) + "</pre>")
		text = strings.TrimPrefix(rest, "\n")
	}
	b.WriteString(d.inline(text))
	return template.HTML(b.String())
}

func (d drawing) inline(text string) string {
	if d.slack {
		text = strings.ReplaceAll(text, `"`, "&#34;") // the rest is escaped by whoever wrote it
		text = slackAngle.ReplaceAllStringFunc(text, func(s string) string {
			s = s[1 : len(s)-1]
			if s == "" {
				return ""
			}
			if s[0] == '@' || s[0] == '!' || s[0] == '#' {
				return `<b class="at">@` + strings.TrimLeft(s, "@!#") + "</b>"
			}
			address, label, ok := strings.Cut(s, "|")
			if !ok {
				label = address
			}
			return `<a href="` + address + `">` + label + "</a>"
		})
	} else {
		text = html.EscapeString(text)
		text = markdownLink.ReplaceAllString(text, `<a href="$2">$1</a>`)
		text = bareLink.ReplaceAllString(text, `$1<a href="$2">$2</a>`)
		text = angleMention.ReplaceAllString(text, `<b class="at">$1</b>`)
	}
	text = code.ReplaceAllString(text, "<code>$1</code>")
	if d.slack {
		text = d.bold.ReplaceAllString(text, "$1<b>$2</b>")
	} else {
		text = d.bold.ReplaceAllString(text, "<b>$1</b>")
		text = singleStar.ReplaceAllString(text, "$1<i>$2</i>")
		text = escaped.ReplaceAllString(text, "$1")
	}
	if d.emoji {
		text = smiles.Replace(text)
	}
	return strings.ReplaceAll(text, "\n", "<br>")
}

var pageTemplate = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.D.Name}}</title><link rel="icon" href="data:,"><style>
:root{ {{.Light}} }@media(prefers-color-scheme:dark){:root{ {{.Dark}} }}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.46 Lato,"Open Sans","Noto Sans",sans-serif;color-scheme:light dark}
header{padding:12px 20px;border-bottom:1px solid var(--line);font-weight:700}main{padding:8px 20px 20px;max-width:860px}
.m{display:flex;gap:10px;padding:8px 0}.m.reply{margin-left:46px}.m.alone{background:var(--in);margin:4px -20px;padding:8px 20px}
.av{width:36px;height:36px;border-radius:6px;background:var(--go);color:#fff;display:grid;place-items:center;font-weight:700;flex:none}.av.p{background:#8a6fb0}
.c{min-width:0;flex:1}.who{font-weight:700}.app{font-size:10px;background:var(--line);padding:1px 4px;border-radius:3px;margin:0 4px;vertical-align:middle}
.dim,.small{color:var(--dim);font-size:12px}a{color:var(--link);text-decoration:none}.at{background:var(--at);color:var(--link);font-weight:400;padding:0 2px;border-radius:3px}
pre{background:var(--code);border:1px solid var(--line);border-radius:4px;padding:8px;margin:4px 0;white-space:pre-wrap;overflow-wrap:anywhere;font:12px/1.5 Menlo,"DejaVu Sans Mono",monospace}
code{background:var(--code);border:1px solid var(--line);border-radius:3px;padding:0 3px;font:12px Menlo,"DejaVu Sans Mono",monospace}
.card{margin:4px 0;max-width:640px}.card.framed{border:1px solid var(--line);border-left:4px solid var(--line);border-radius:4px;padding:8px 12px}
.f{display:grid;grid-template-columns:1fr 1fr;gap:4px 16px;margin-top:4px}.f>div.long{grid-column:1/3}.f b.t{display:block}
.t{font-weight:700}button{background:var(--btn);color:var(--fg);border:1px solid var(--line);border-radius:4px;padding:5px 12px;font:inherit;font-weight:700;margin:4px 6px 0 0}
button.primary,button.success{background:var(--go);color:#fff;border-color:var(--go)}button.danger{background:var(--no);color:#fff;border-color:var(--no)}
.file{border:1px solid var(--line);border-radius:8px;padding:8px 12px;margin-top:4px;display:inline-block}.file img{display:block;max-width:320px;margin-top:4px}
.over{position:fixed;inset:0;background:#0009;display:grid;place-items:center}.form{background:var(--bg);border:1px solid var(--line);border-radius:10px;width:520px;max-width:94vw;max-height:94vh;overflow:auto;box-shadow:0 8px 30px #0006}
.form h2{margin:0;padding:14px 20px;font-size:18px;border-bottom:1px solid var(--line)}.form .b{padding:12px 20px}.form footer{padding:12px 20px;border-top:1px solid var(--line);text-align:right}
.form label{display:block;font-weight:700;margin-top:12px}.form label i{font-weight:400;color:var(--dim);font-style:normal}.form input,.form select,.form textarea{width:100%;font:inherit;padding:7px 9px;margin-top:4px;background:var(--bg);color:var(--fg);border:1px solid var(--line);border-radius:4px}
.form .bad{color:var(--no);font-size:13px;margin-top:3px}.form .wrong{border-color:var(--no)!important}
</style><header># ops</header><main>{{range .Messages}}<div class="m{{if .Thread}} reply{{end}}{{if .To}} alone{{end}}"><div class="av{{if ne .Author "signalbox"}} p{{end}}">{{slice .Author 0 1}}</div><div class="c">
{{if .To}}<div class="dim">Only visible to {{.To}}</div>{{end}}<span class="who">{{.Author}}</span>{{if eq .Author "signalbox"}}<span class="app">APP</span>{{end}} <span class="dim">{{.At.Format "15:04"}}</span>
<div>{{render .Text}}{{if .Edits}} <span class="dim">(edited)</span>{{end}}</div>
{{range .Cards}}<div class="card{{if $.Framed}} framed{{end}}"{{if .Color}} style="border-left-color:{{.Color}}"{{end}}>{{if .Title}}<div class="t">{{render .Title}}</div>{{end}}
<div{{if .Small}} class="small"{{end}}>{{render .Text}}</div>{{if .Fields}}<div class="f">{{range .Fields}}<div{{if not .Short}} class="long"{{end}}>{{if .Title}}<b class="t">{{render .Title}}</b>{{end}}{{render .Value}}</div>{{end}}</div>{{end}}
{{range .Buttons}}<button class="{{.Style}}">{{.Label}}</button>{{end}}</div>{{end}}{{range .Buttons}}<button class="{{.Style}}">{{.Label}}</button>{{end}}
{{range .Files}}<div class="file"><b>{{or .Title .Name}}</b> <span class="dim">{{.Name}}, {{len .Content}} bytes</span>{{if image .}}<img src="/file/{{.ID}}" alt="">{{end}}</div>{{end}}</div></div>{{end}}</main>
{{with .Form}}<div class="over"><div class="form"><h2>{{.Title}}</h2><div class="b">{{render .Text}}{{with .Error}}<div class="bad">{{.}}</div>{{end}}{{range .Fields}}<label>{{.Label}}{{if not .Required}} <i>(optional)</i>{{end}}</label>
{{$f := .}}{{if .Options}}<select{{if .Error}} class="wrong"{{end}}><option>{{if not .Value}}Choose{{end}}</option>{{range .Options}}<option{{if eq . $f.Value}} selected{{end}}>{{.}}</option>{{end}}</select>{{else if .Lines}}<textarea rows="3"{{if .Error}} class="wrong"{{end}}>{{.Value}}</textarea>{{else}}<input value="{{.Value}}"{{if .Error}} class="wrong"{{end}}>{{end}}
{{with .Error}}<div class="bad">{{.}}</div>{{end}}{{with .Hint}}<div class="dim">{{.}}</div>{{end}}{{end}}</div><footer><button>Cancel</button><button class="primary">{{.Submit}}</button></footer></div></div>{{end}}</html>`

// sent finds a file that was sent.
func (s *Server) sent(id string) (File, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		for _, f := range m.Files {
			if f.ID == id {
				return f, true
			}
		}
	}
	return File{}, false
}

// page draws a channel (?channel=) as a user (?user=) sees it.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Path, "/file/"); ok {
		if f, found := s.sent(id); found {
			w.Header().Set("Content-Type", f.Type)
			w.Write(f.Content) // without the lock: a browser that reads slowly would hold up the chat
			return
		}
		http.NotFound(w, r)
		return
	}
	page, err := template.New("chat").Funcs(template.FuncMap{
		"render": s.draw.render, "image": func(f File) bool { return strings.HasPrefix(f.Type, "image/") },
	}).Parse(pageTemplate)
	if err != nil {
		s.Complain("the page: %v", err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err = page.Execute(w, map[string]any{
		"D": s.draw, "Light": template.CSS(s.draw.Light), "Dark": template.CSS(s.draw.Dark), "Framed": !s.draw.slack,
		"Messages": threaded(s.Shown(r.URL.Query().Get("channel"), r.URL.Query().Get("user"))), "Form": s.drawnForm(r.URL.Query().Get("user")),
	})
	if err != nil {
		s.Complain("the page: %v", err)
	}
}

// threaded puts messages below those that they answer.
func threaded(all []Message) []Message {
	var out []Message
	below := map[string][]Message{}
	there := map[string]bool{}
	for _, m := range all {
		there[m.ID] = true
	}
	for _, m := range all {
		if there[m.Thread] {
			below[m.Thread] = append(below[m.Thread], m)
		}
	}
	for _, m := range all {
		if !there[m.Thread] {
			out = append(append(out, m), below[m.ID]...)
		}
	}
	return out
}

// Page is the address of the page on which a user sees a channel.
func (s *Server) Page(channel, user string) string {
	return fmt.Sprintf("%s/?channel=%s&user=%s", s.URL, channel, user)
}
