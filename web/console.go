package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/chatops"
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

// said is a command with its answers, as the conversation shows it.
type said struct {
	chatops.Record
	Who     string
	Answer  template.HTML // in the words of chats; "" if the job's own output is the reply
	Output  string        // of the job, in ANSI colours
	Blocks  []block
	Private string // for the asker alone, who looks
	Shown   string // the status whose looks it has
	Job     *models.Job
	Moves   []chatops.Move
	Again   string // the command, for its words to be changed
}

// block is what a job wrote as JSON; Image and Picture are the addresses of its file, Picture if browsers show it.
type block struct {
	chatops.Rich
	ImageAt string
	Picture bool
}

var (
	boldLine = regexp.MustCompile(`(?m)^\*([^*\n]+)\*$`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
)

// chatHTML shows a text meant for a chat: its links, code and titles.
func chatHTML(text string) template.HTML {
	inline := func(s string) string {
		s = codeSpan.ReplaceAllString(template.HTMLEscapeString(s), "<code>$1</code>")
		return boldLine.ReplaceAllString(s, "<strong>$1</strong>")
	}
	link := func(text, address string) string {
		return `<a href="` + template.HTMLEscapeString(address) + `" rel="noopener noreferrer">` + inline(text) + `</a>`
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "```") {
		if i%2 == 1 {
			b.WriteString("<pre>" + template.HTMLEscapeString(strings.Trim(part, "\n")) + "</pre>")
		} else {
			b.WriteString(chatops.Links(strings.Trim(part, "\n"), inline, link))
		}
	}
	return template.HTML(b.String()) // made of escaped parts
}

// pictures are the files that browsers show in a page.
var pictures = []string{".png", ".jpg", ".jpeg", ".gif", ".webp"}

func (s *Server) saidOf(r *request, c *inside, row chatops.Record, of subject, progress string) (said, error) {
	job := of.job
	one := said{Record: row, Who: row.ChatUserName, Job: job}
	if row.User != nil {
		one.Who = row.User.Name
	}
	if one.Shown = string(row.State); !row.Ended() || row.State == enum.CommandReplied || row.State == enum.CommandSilent {
		one.Shown = cmp.Or(string(of.status()), one.Shown)
	}
	text, blocks := s.chat.Reply(c.project, row.ChatCommand)
	switch {
	case row.Refusal != "":
		one.Answer = chatHTML(row.Refusal)
	case row.Reply == nil || *row.Reply == row.Acknowledgement:
		one.Answer, one.Output = chatHTML(row.Acknowledgement), progress
	default:
		one.Output = text
	}
	for _, rich := range blocks {
		b := block{Rich: rich}
		if rich.Image != nil && row.JobID != nil {
			b.ImageAt = fmt.Sprintf("/%s/-/jobs/%d/artifacts/file/%s", c.project.FullPath, *row.JobID, (&url.URL{Path: rich.Image.Artifact}).EscapedPath())
			b.Picture = slices.Contains(pictures, strings.ToLower(path.Ext(rich.Image.Artifact)))
		}
		one.Blocks = append(one.Blocks, b)
	}
	if row.PrivateReply != nil && row.UserID != nil && *row.UserID == r.actor.ID() {
		one.Private = *row.PrivateReply
	}
	if !c.may(r, access.CreateCommand) {
		return one, nil
	}
	var err error
	if one.Moves, err = s.chat.Moves(r.Context(), job); err != nil {
		return one, err
	}
	if of.pipeline != nil {
		if one.Moves, err = s.chat.PipelineMoves(r.Context(), nil, of.pipeline, of.waiting, of.newest); err != nil {
			return one, err
		}
	}
	one.Again, err = s.chat.Again(r.Context(), row.ChatCommand, job)
	return one, err
}

// subject is what a command is about: the last attempt of a job, or a pipeline of several.
type subject struct {
	job      *models.Job
	pipeline *models.Pipeline
	waiting  []*models.Job // jobs of the pipeline that wait to be started by hand
	newest   int64         // attempt of the pipeline
}

// status is how the job or the pipeline stands; "" if there is none.
func (s subject) status() enum.Status {
	switch {
	case s.job != nil:
		return s.job.Status
	case s.pipeline != nil && s.pipeline.Status == enum.Skipped && len(s.waiting) > 0: // as the chats' messages have it
		return enum.Manual
	case s.pipeline != nil:
		return s.pipeline.Status
	}
	return ""
}

// subjectsOf finds what commands are about, by command.
func subjectsOf(tx *models.Tx, rows []*models.ChatCommand) (map[int64]subject, error) {
	var ids, pipelines []int64
	for _, c := range rows {
		switch {
		case c.JobID != nil:
			ids = append(ids, *c.JobID)
		case c.PipelineID != nil:
			pipelines = append(pipelines, *c.PipelineID)
		}
	}
	whole, err := tx.Pipelines(pipelines)
	if err != nil {
		return nil, err
	}
	waiting, err := tx.WaitingJobs(pipelines)
	if err != nil {
		return nil, err
	}
	newest, err := tx.NewestJobs(pipelines)
	if err != nil {
		return nil, err
	}
	found, err := tx.JobsByID(ids)
	if err != nil {
		return nil, err
	}
	byID := map[int64]*models.Job{}
	for _, j := range found {
		byID[j.ID] = j
	}
	out := map[int64]subject{}
	for _, c := range rows {
		if c.JobID == nil && c.PipelineID != nil {
			out[c.ID] = subject{pipeline: whole[*c.PipelineID], waiting: waiting[*c.PipelineID], newest: newest[*c.PipelineID]}
		}
		if c.JobID == nil || byID[*c.JobID] == nil {
			continue
		}
		j := byID[*c.JobID]
		if j.Retried {
			if last, err := tx.JobByName(j.PipelineID, j.Name); err == nil {
				j = last
			} else if !errors.Is(err, models.ErrNotFound) {
				return nil, err
			}
		}
		out[c.ID] = subject{job: j}
	}
	return out, nil
}

// maxFollowed is how many running jobs a page follows the logs of.
const maxFollowed = 5

// progress is what the running jobs of commands say, by command.
func (s *Server) progress(r *request, c *inside, rows []*models.ChatCommand, jobs map[int64]subject) (map[int64]string, error) {
	out := map[int64]string{}
	for _, row := range rows {
		j := jobs[row.ID].job
		if j == nil || j.Status != enum.Running || row.Reply != nil || len(out) == maxFollowed || !c.may(r, access.ReadJob) {
			continue
		}
		text, err := s.chat.Progress(r.Context(), j)
		if err != nil {
			return nil, err
		}
		out[row.ID] = text
	}
	return out, nil
}

func talkVersion(rows []*models.ChatCommand, jobs map[int64]subject, progress map[int64]string) string {
	v := ""
	for _, c := range rows {
		v += fmt.Sprint(c.ID, c.State, c.Reply != nil, c.DeliveryError, progress[c.ID], " ")
		if j := jobs[c.ID].job; j != nil {
			v += fmt.Sprint(j.ID, j.Status, " ")
		}
		if p := jobs[c.ID].pipeline; p != nil {
			v += fmt.Sprint("p", p.ID, p.Status, " ")
			for _, j := range jobs[c.ID].waiting {
				v += fmt.Sprint(j.ID, " ")
			}
		}
	}
	return digest(v)
}

// talk reads the newest commands as the live page compares them.
func (s *Server) talk(r *request, c *inside) (version string, err error) {
	var rows []*models.ChatCommand
	var jobs map[int64]subject
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if rows, err = tx.CommandStates(c.project.ID, listed); err != nil {
			return err
		}
		jobs, err = subjectsOf(tx, rows)
		return err
	})
	if err != nil {
		return "", err
	}
	progress, err := s.progress(r, c, rows, jobs)
	return talkVersion(rows, jobs, progress), err
}

func (s *Server) liveCommands(r *request, c *inside) error {
	return s.follow(r, []string{chatops.TopicCommands(c.project.ID), ci.TopicProject(c.project.ID)}, changes(r, func() (string, bool, error) {
		v, err := s.talk(r, c)
		return v, false, err
	}))
}

var commandStates = []enum.CommandState{
	enum.CommandAccepted, enum.CommandWaiting, enum.CommandRunning, enum.CommandReplied, enum.CommandSilent, enum.CommandRefused, enum.CommandExpired, enum.CommandUndeliverable,
}

// commandFilter reads the filter of the address.
func commandFilter(r *request) (f models.CommandFilter, narrow bool, err error) {
	q := r.URL.Query()
	word := func(name string) string {
		w := strings.TrimSpace(q.Get(name))
		narrow = narrow || w != ""
		return w
	}
	f = models.CommandFilter{
		User: word("user"), Chat: enum.Chat(word("chat")), Channel: word("channel"), State: enum.CommandState(word("state")), Search: word("search"),
	}
	for name, into := range map[string]**time.Time{"created_after": &f.After, "created_before": &f.Before} {
		if text := word(name); text != "" {
			at, err := time.Parse(time.DateOnly, text)
			if err != nil {
				return f, narrow, fault.New(fault.Invalid, "The date is not like 2030-12-31.")
			}
			*into = &at
		}
	}
	return f, narrow, nil
}

func (s *Server) commandsPage(r *request, c *inside) error {
	p := paging(r)
	f, narrow, err := commandFilter(r)
	if err != nil {
		return err
	}
	var found []*models.ChatCommand
	var rows []chatops.Record
	var jobs map[int64]subject
	d := data{
		"Title": "Commands", "Filter": f, "Narrow": narrow, "States": commandStates, "Chats": []enum.Chat{enum.Slack, enum.SlackApp, enum.Mattermost, enum.Discord, enum.Console},
		"At": "/" + c.project.FullPath + "/-/chat/commands", "Say": r.URL.Query().Get("say"),
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if found, err = tx.ShortCommands(c.project.ID, f, p); err != nil {
			return err
		}
		if jobs, err = subjectsOf(tx, found); err != nil {
			return err
		}
		if rows, err = s.chat.Records(tx, found); err != nil {
			return err
		}
		d["Channels"], err = tx.ChatChannels(c.project.ID)
		return err
	})
	if err != nil {
		return err
	}
	progress, err := s.progress(r, c, found, jobs)
	if err != nil {
		return err
	}
	var talk []said
	var own []string
	for _, row := range rows {
		one, err := s.saidOf(r, c, row, jobs[row.ID], progress[row.ID])
		if err != nil {
			return err
		}
		talk = append(talk, one)
		if row.UserID != nil && *row.UserID == r.actor.ID() && !slices.Contains(own, row.Text) {
			own = append(own, row.Text)
		}
	}
	history, err := json.Marshal(own)
	if err != nil {
		return err
	}
	d["Talk"], d["Pager"], d["History"] = talk, pagerOf(p, len(rows)), string(history)
	if !narrow && p.Number == 1 {
		d["Live"], d["Watched"] = liveAt("/"+c.project.FullPath+"/-/chat/commands/live", talkVersion(found, jobs, progress)), true
	}
	if c.may(r, access.CreateCommand) {
		jobs, err := s.jobHelp(r, c)
		var broken *ci.ConfigError
		switch {
		case errors.As(err, &broken):
			d["Broken"] = broken.Report()
		case fault.KindOf(err) == fault.Invalid:
			d["Broken"] = fault.Message(err)
		case err != nil:
			return err
		}
		d["Jobs"] = jobs
	}
	return s.show(r, c, "commands", d)
}

const (
	helpTime = time.Minute // for which a list of jobs may be shown, if the branch stands where it stood
	maxHelps = 200
)

type helpKey struct {
	project, user int64
	sha           string
}

type helpList struct {
	jobs []chatops.JobHelp
	err  error
	read time.Time
}

// helps keeps lists of jobs for a while: a page that follows changes asks for them often.
type helps struct {
	mu    sync.Mutex
	lists map[helpKey]helpList
}

func (s *Server) jobHelp(r *request, c *inside) ([]chatops.JobHelp, error) {
	sha, err := s.ci.Repo(c.project).Resolve(r.Context(), "refs/heads/"+c.project.DefaultBranch)
	if err != nil {
		return nil, nil // there is no such branch yet
	}
	key, now := helpKey{c.project.ID, r.actor.ID(), sha}, s.ci.DB().Now()
	s.helps.mu.Lock()
	list, known := s.helps.lists[key]
	s.helps.mu.Unlock()
	if known && now.Sub(list.read).Abs() < helpTime {
		return list.jobs, list.err
	}
	list.jobs, list.err = s.chat.Jobs(r.Context(), r.actor, c.project)
	if errors.Is(list.err, context.Canceled) {
		return nil, list.err
	}
	list.read = now
	s.helps.mu.Lock()
	defer s.helps.mu.Unlock()
	if s.helps.lists == nil || len(s.helps.lists) >= maxHelps {
		s.helps.lists = map[helpKey]helpList{}
	}
	s.helps.lists[key] = list
	return list.jobs, list.err
}

func (s *Server) giveCommand(r *request, c *inside) error {
	text := strings.TrimSpace(r.PostFormValue("text"))
	if text == "" {
		return fault.New(fault.Invalid, "Type a command, such as run hello.")
	}
	turn, _ := strconv.ParseInt(r.PostFormValue("turn"), 10, 64) // 0: it is about no pipeline
	row, err := s.chat.Give(r.Context(), r.actor, c.project, chatops.ConsoleCommand{Text: text, Pressed: r.PostFormValue("pressed") != "", Turn: turn})
	if err != nil {
		return err
	}
	return s.to(r, fmt.Sprintf("/%s/-/chat/commands#c%d", c.project.FullPath, row.ID))
}

// exportCommands writes all commands that the filter lets through, as they are read.
func (s *Server) exportCommands(r *request, c *inside) error {
	f, _, err := commandFilter(r)
	if err != nil {
		return err
	}
	format, kind := r.URL.Query().Get("format"), "text/csv; charset=utf-8"
	switch format {
	case chatops.ExportCSV:
	case chatops.ExportLines:
		kind = "application/x-ndjson"
	default:
		return notFound(r)
	}
	r.w.Header().Set("Content-Type", kind)
	r.w.Header().Set("Content-Disposition", httpapi.Disposition("attachment", "commands."+format))
	if err := s.chat.Export(r.Context(), r.w, c.project.ID, f, format, http.NewResponseController(r.w).Flush); err != nil {
		s.log.WarnContext(r.Context(), "an export ends before its end", "error", err)
		panic(http.ErrAbortHandler) // so that nobody takes it for whole
	}
	return nil
}

// commandOf finds the command of the address.
func (s *Server) commandOf(r *request, c *inside) (row *models.ChatCommand, err error) {
	if !c.may(r, access.ReadCommands) {
		return nil, notFound(r)
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		row, err = tx.Command(c.number(0))
		if err == nil && row.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return row, err
}

func (s *Server) commandPage(r *request, c *inside) error {
	row, err := s.commandOf(r, c)
	if err != nil {
		return err
	}
	var records []chatops.Record
	var jobs map[int64]subject
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if records, err = s.chat.Records(tx, []*models.ChatCommand{row}); err != nil {
			return err
		}
		jobs, err = subjectsOf(tx, []*models.ChatCommand{row})
		return err
	})
	if err != nil {
		return err
	}
	commands := []*models.ChatCommand{row}
	progress, err := s.progress(r, c, commands, jobs)
	if err != nil {
		return err
	}
	one, err := s.saidOf(r, c, records[0], jobs[row.ID], progress[row.ID])
	if err != nil {
		return err
	}
	d := data{"Title": "Command " + row.Text, "Command": one, "State": stateSentence[row.State], "At": "/" + c.project.FullPath + "/-/chat/commands"}
	if !row.Ended() {
		d["Live"] = liveAt(fmt.Sprintf("/%s/-/chat/commands/%d/live", c.project.FullPath, row.ID), talkVersion(commands, jobs, progress))
	}
	return s.show(r, c, "command", d)
}

// liveCommand follows a chat command and its job.
func (s *Server) liveCommand(r *request, c *inside) error {
	row, err := s.commandOf(r, c)
	if err != nil {
		return err
	}
	id := row.ID
	topics := []string{chatops.TopicCommands(c.project.ID), ci.TopicProject(c.project.ID)}
	return s.follow(r, topics, changes(r, func() (v string, done bool, err error) {
		var rows []*models.ChatCommand
		var jobs map[int64]subject
		err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
			now, err := tx.Command(id)
			if err != nil {
				return err
			}
			rows = []*models.ChatCommand{now}
			jobs, err = subjectsOf(tx, rows)
			return err
		})
		if err != nil {
			return "", false, err
		}
		progress, err := s.progress(r, c, rows, jobs)
		return talkVersion(rows, jobs, progress), rows[0].Ended(), err
	}))
}
