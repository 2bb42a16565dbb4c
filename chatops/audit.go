package chatops

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"signalbox/internal/fault"
	"signalbox/internal/terminal"
	"signalbox/models"
	"signalbox/models/enum"
)

// Linker is a chat whose messages have addresses.
type Linker interface {
	// Permalink is where the message or the thread of a command is; "" if that is not known.
	Permalink(in *models.ChatIntegration, c *models.ChatCommand) string
}

// Record is a command with what is to be told of it.
type Record struct {
	*models.ChatCommand
	User     *models.User // nil: nobody known gave it
	Link     string       // of its message or thread in the chat
	Decision string       // why it stands as it does; "" if it was done
	Posts    []*models.ChatPost
}

// Decision is the reason for the state of a command, in one line.
func Decision(c *models.ChatCommand) string {
	switch c.State {
	case enum.CommandRefused:
		first, _, _ := strings.Cut(c.Refusal, "\n")
		return first
	case enum.CommandSilent:
		return "its job left an empty chat_reply section"
	case enum.CommandAccepted:
		return "it waits for its turn"
	case enum.CommandWaiting:
		return "it waits for the approval of others"
	case enum.CommandRunning:
		return cmp.Or(c.DeliveryError, "its job has not ended")
	}
	return c.DeliveryError
}

// Records reads what is to be told of commands, in their order.
func (s *Service) Records(tx *models.Tx, rows []*models.ChatCommand) ([]Record, error) {
	var users, integrations, ids []int64
	for _, c := range rows {
		ids = append(ids, c.ID)
		if c.UserID != nil {
			users = append(users, *c.UserID)
		}
		if c.IntegrationID != nil {
			integrations = append(integrations, *c.IntegrationID)
		}
	}
	people, err := tx.Users(users)
	if err != nil {
		return nil, err
	}
	places, err := tx.IntegrationsByID(integrations)
	if err != nil {
		return nil, err
	}
	posts, err := tx.ChatPosts(ids)
	out := make([]Record, len(rows))
	for i, c := range rows {
		out[i] = Record{ChatCommand: c, Decision: Decision(c), Posts: posts[c.ID]}
		if c.UserID != nil {
			out[i].User = people[*c.UserID]
		}
		if linker, ok := optional[Linker](s, c.Chat); ok && c.IntegrationID != nil && places[*c.IntegrationID] != nil {
			out[i].Link = linker.Permalink(places[*c.IntegrationID], c)
		}
	}
	return out, err
}

// FindCommands pages through a project's commands.
func (s *Service) FindCommands(ctx context.Context, projectID int64, f models.CommandFilter, p models.Page) (out []Record, total int64, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		var rows []*models.ChatCommand
		if rows, total, err = tx.FindCommands(projectID, f, p); err != nil {
			return err
		}
		out, err = s.Records(tx, rows)
		return err
	})
	return out, total, err
}

// exported is a command in an export: what is for the asker alone is not in it.
type exported struct {
	ID           int64      `json:"id"`
	CreatedAt    time.Time  `json:"created_at"`
	FinishedAt   *time.Time `json:"finished_at"`
	Chat         enum.Chat  `json:"chat"`
	Channel      string     `json:"channel"`
	ChannelID    string     `json:"channel_id"`
	Username     string     `json:"username"`
	ChatUserID   string     `json:"chat_user_id"`
	ChatUserName string     `json:"chat_user_name"`
	Text         string     `json:"text"`
	State        string     `json:"state"`
	Decision     string     `json:"decision"`
	PipelineID   *int64     `json:"pipeline_id"`
	JobID        *int64     `json:"job_id"`
	Thread       string     `json:"thread"`
	Reply        *string    `json:"reply"`
	Deliveries   []sent     `json:"deliveries"`
}

// sent is a try to send something of a command, in an export.
type sent struct {
	Kind      enum.PostKind    `json:"kind"`
	Via       string           `json:"via"`
	Outcome   enum.PostOutcome `json:"outcome"`
	Detail    string           `json:"detail"`
	Times     int64            `json:"times"`
	CreatedAt time.Time        `json:"created_at"`
	LastAt    time.Time        `json:"last_at"`
}

func (s sent) String() string {
	text := fmt.Sprintf("%s by %s: %s", s.Kind, s.Via, s.Outcome)
	if s.Times > 1 {
		text += fmt.Sprintf(" %d times", s.Times)
	}
	if s.Detail != "" {
		text += " (" + s.Detail + ")"
	}
	return text
}

var exportedColumns = []string{
	"id", "created_at", "finished_at", "chat", "channel", "channel_id", "username", "chat_user_id", "chat_user_name", "text", "state", "decision", "pipeline_id",
	"job_id", "thread", "reply", "deliveries",
}

func exportedOf(r Record) exported {
	e := exported{
		ID: r.ID, CreatedAt: r.CreatedAt.UTC(), FinishedAt: r.FinishedAt, Chat: r.Chat, Channel: r.ChannelName, ChannelID: r.ChannelID, ChatUserID: r.ChatUserID,
		ChatUserName: r.ChatUserName, Text: r.Text, State: string(r.State), Decision: r.Decision, PipelineID: r.PipelineID, JobID: r.JobID, Thread: r.Link, Reply: r.Reply,
		Deliveries: []sent{},
	}
	for _, p := range r.Posts {
		e.Deliveries = append(e.Deliveries, sent{p.Kind, p.Via, p.Outcome, p.Detail, p.Times, p.CreatedAt.UTC(), p.LastAt.UTC()})
	}
	if e.FinishedAt != nil {
		at := e.FinishedAt.UTC()
		e.FinishedAt = &at
	}
	if r.User != nil {
		e.Username = r.User.Username
	}
	return e
}

func (e exported) cells() []string {
	number := func(n *int64) string {
		if n == nil {
			return ""
		}
		return fmt.Sprint(*n)
	}
	finished, reply := "", ""
	if e.FinishedAt != nil {
		finished = e.FinishedAt.Format(time.RFC3339)
	}
	if e.Reply != nil {
		reply = terminal.Strip(*e.Reply)
	}
	var tries []string
	for _, s := range e.Deliveries {
		tries = append(tries, s.String())
	}
	cells := []string{
		fmt.Sprint(e.ID), e.CreatedAt.Format(time.RFC3339), finished, string(e.Chat), e.Channel, e.ChannelID, e.Username, e.ChatUserID, e.ChatUserName, e.Text,
		e.State, e.Decision, number(e.PipelineID), number(e.JobID), e.Thread, reply, strings.Join(tries, "\n"),
	}
	for i, c := range cells {
		cells[i] = inert(c)
	}
	return cells
}

// inert keeps a spreadsheet from taking a cell for a formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// Formats of exports.
const (
	ExportCSV   = "csv"
	ExportLines = "jsonl"
)

// exportBatch is how many commands are held in memory at a time.
const exportBatch = 25

// Export writes the commands of a project, newest first, one batch after the other; sent is called behind each.
func (s *Service) Export(ctx context.Context, out io.Writer, projectID int64, f models.CommandFilter, format string, sent func() error) error {
	var write func(exported) error
	done := func() error { return nil }
	switch format {
	case ExportCSV:
		w := csv.NewWriter(out)
		if err := w.Write(exportedColumns); err != nil {
			return err
		}
		write = func(e exported) error { return w.Write(e.cells()) }
		done = func() error { w.Flush(); return w.Error() }
	case ExportLines:
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		write = func(e exported) error { return lines.Encode(e) }
	default:
		return fault.New(fault.Invalid, "an export is csv or jsonl")
	}
	for last := int64(0); ; {
		var rows []Record
		err := s.db.Read(ctx, func(tx *models.Tx) error {
			found, err := tx.ExportCommands(projectID, f, last, exportBatch)
			if err == nil {
				rows, err = s.Records(tx, found)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			last = r.ID
			if err := write(exportedOf(r)); err != nil {
				return err
			}
		}
		if err := done(); err != nil {
			return err
		}
		if err := sent(); err != nil || len(rows) < exportBatch {
			return err
		}
	}
}
