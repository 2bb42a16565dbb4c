package api

import (
	"net/http"

	"signalbox/chatops"
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type commandEntity struct {
	ID              int64             `json:"id"`
	Text            string            `json:"text"`
	Channel         string            `json:"channel"`
	State           enum.CommandState `json:"state"`
	Acknowledgement string            `json:"acknowledgement"`
	Refusal         *string           `json:"refusal"`
	PipelineID      *int64            `json:"pipeline_id"`
	JobID           *int64            `json:"job_id"`
	Reply           *string           `json:"reply"`
	DeliveryError   *string           `json:"delivery_error"`
	CreatedAt       httpapi.Time      `json:"created_at"`
	FinishedAt      *httpapi.Time     `json:"finished_at"`
	Chat            enum.Chat         `json:"chat"`
	ChannelID       string            `json:"channel_id"`
	User            *commandUser      `json:"user"`
	ChatUserID      string            `json:"chat_user_id"`
	ChatUserName    string            `json:"chat_user_name"`
	Thread          *string           `json:"thread"`
	Decision        *string           `json:"decision"`
	PrivateReply    *string           `json:"private_reply"` // null for everybody but the asker
	Deliveries      []commandPost     `json:"deliveries"`
}

type commandUser struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// commandPost is a try to send something of a command to its chat, or several in a row that ended alike.
type commandPost struct {
	Kind      enum.PostKind    `json:"kind"`
	Via       string           `json:"via"`
	Outcome   enum.PostOutcome `json:"outcome"`
	Detail    *string          `json:"detail"`
	Times     int64            `json:"times"`
	CreatedAt httpapi.Time     `json:"created_at"`
	LastAt    httpapi.Time     `json:"last_at"`
}

func (c *call) command(r chatops.Record) commandEntity {
	e := commandEntity{
		ID: r.ID, Text: r.Text, Channel: r.ChannelName, State: r.State, Acknowledgement: r.Acknowledgement, PipelineID: r.PipelineID, JobID: r.JobID,
		Reply: r.Reply, CreatedAt: httpapi.Time(r.CreatedAt), FinishedAt: httpapi.TimeOf(r.FinishedAt), Refusal: given(r.Refusal), DeliveryError: given(r.DeliveryError),
		Chat: r.Chat, ChannelID: r.ChannelID, ChatUserID: r.ChatUserID, ChatUserName: r.ChatUserName, Thread: given(r.Link), Decision: given(r.Decision), Deliveries: each(r.Posts, postOf),
	}
	if r.User != nil {
		e.User = &commandUser{r.User.ID, r.User.Username}
	}
	if r.UserID != nil && c.actor.User != nil && c.actor.User.ID == *r.UserID {
		e.PrivateReply = r.PrivateReply
	}
	return e
}

func postOf(p *models.ChatPost) commandPost {
	return commandPost{p.Kind, p.Via, p.Outcome, given(p.Detail), p.Times, httpapi.Time(p.CreatedAt), httpapi.Time(p.LastAt)}
}

// oneCommand renders a command.
func (s *Server) oneCommand(c *call, row *models.ChatCommand) (any, error) {
	var out commandEntity
	err := c.read(func(tx *models.Tx) error {
		rows, err := s.chat.Records(tx, []*models.ChatCommand{row})
		if err == nil {
			out = c.command(rows[0])
		}
		return err
	})
	return out, err
}

type commandFilter struct {
	User    string            `param:"user" max:"255"`
	Chat    string            `param:"chat" max:"50"`
	Channel string            `param:"channel" max:"255"`
	State   string            `param:"state" values:"accepted waiting refused running replied silent expired undeliverable"`
	Search  string            `param:"search" max:"1000"`
	After   httpapi.Timestamp `param:"created_after"`
	Before  httpapi.Timestamp `param:"created_before"`
}

func (f commandFilter) model() models.CommandFilter {
	return models.CommandFilter{
		User: f.User, Chat: enum.Chat(f.Chat), Channel: f.Channel, State: enum.CommandState(f.State), Search: f.Search, After: f.After.Time, Before: f.Before.Time,
	}
}

// exportCommands writes all commands that a filter lets through, as they are read.
func (s *Server) exportCommands(c *call, p *struct {
	commandFilter
	Format string `param:"format,required" values:"csv jsonl"`
},
) (any, error) {
	kind := "text/csv; charset=utf-8"
	if p.Format == chatops.ExportLines {
		kind = "application/x-ndjson"
	}
	c.Header("Content-Type", kind)
	c.Header("Content-Disposition", httpapi.Disposition("attachment", "commands."+p.Format))
	out := http.NewResponseController(c.Writer)
	return written, s.chat.Export(c.ctx(), c.Writer, c.project.ID, p.model(), p.Format, out.Flush)
}

func (s *Server) chatRoutes(r routes) {
	path := "/projects/:id/chat/commands"
	r.post(path, project(access.CreateCommand), with(func(c *call, p *struct {
		Text    string `param:"text,required,filled"`
		Channel string `param:"channel" max:"255"`
	},
	) (any, error) {
		row, err := s.chat.Give(c.ctx(), c.actor, c.project, chatops.ConsoleCommand{Text: p.Text, Channel: p.Channel})
		if err != nil {
			return nil, err
		}
		return s.oneCommand(c, row)
	}))
	r.get(path, project(access.ReadCommands), with(func(c *call, p *struct {
		httpapi.Page
		commandFilter
	},
	) (any, error) {
		rows, total, err := s.chat.FindCommands(c.ctx(), c.project.ID, p.model(), pageOf(p.Page))
		return paged(each(rows, c.command), p.Page, total), err
	}))
	r.get(path+"/export", project(access.ReadCommands), with(s.exportCommands))
	r.get(path+"/:command_id", project(access.ReadCommands), func(c *call) (any, error) {
		n, err := c.id("command_id", "Command")
		if err != nil {
			return nil, err
		}
		var row *models.ChatCommand
		err = c.read(func(tx *models.Tx) (err error) {
			row, err = tx.Command(n)
			return err
		})
		if err == nil && row.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		if err != nil {
			return nil, missing(err, "Command")
		}
		return s.oneCommand(c, row)
	})
}
