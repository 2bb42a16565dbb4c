package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/internal/terminal"
	"signalbox/models"
	"signalbox/models/enum"
)

// uploadTask names what is to be sent as a file: the whole reply of a command, or a file of its job's artifacts.
type uploadTask struct {
	Command  int64  `json:"command"`
	Artifact string `json:"artifact,omitempty"`
}

// attach stores the tasks that send what does not fit into a message, if the chat takes files of its bot.
func (s *Service) attach(tx *models.Tx, c *models.ChatCommand, in *models.ChatIntegration, m Message) error {
	if in == nil || !in.HasBot() || c.Chat == enum.Console || !s.chats[c.Chat].Traits().Files {
		return nil
	}
	var files []uploadTask
	if s.chats[c.Chat].Traits().Limits.Fit(m).CutOutput {
		files = append(files, uploadTask{Command: c.ID})
	}
	for _, b := range m.Rich {
		if b.Image != nil {
			files = append(files, uploadTask{c.ID, b.Image.Artifact})
		}
	}
	for _, f := range files {
		raw, err := json.Marshal(f)
		if err != nil {
			return err
		}
		key := fmt.Sprintf("%s:%d:%d:%s", taskUpload, c.ID, m.JobID, f.Artifact)
		tx.AfterCommit(s.tasks.Wake)
		if err := tx.AddTask(&models.Task{Kind: taskUpload, Lane: models.LaneOutside, Share: tasks.ShareOf(c.ProjectID), Key: &key, Payload: string(raw)}); err != nil {
			return err
		}
	}
	return nil
}

// maxUpload bounds a file that is sent to a chat.
const maxUpload = 8 << 20

func (s *Service) upload(ctx context.Context, t *models.Task) error {
	var u uploadTask
	if err := json.Unmarshal([]byte(t.Payload), &u); err != nil {
		return fmt.Errorf("payload of a file: %w", err)
	}
	c, in, err := s.commandWith(ctx, u.Command)
	if err != nil || in == nil || !in.Active || c.Reply == nil {
		return notThere(err)
	}
	f := File{Name: fmt.Sprintf("reply-%d.txt", c.ID), Title: "The whole output", Content: []byte(terminal.Draw(*c.Reply))}
	if gap.Match(f.Content) {
		f.Title = "The beginning and the end of the output"
	}
	if u.Artifact != "" {
		f = File{Name: path.Base(u.Artifact), Title: path.Base(u.Artifact)}
		if f.Content, err = s.artifact(ctx, c, u.Artifact); err != nil {
			return s.noteFinally(ctx, c.ID, "the file "+u.Artifact+" cannot be sent: "+fault.Message(err))
		}
	}
	f.Key = s.trying(t).part("file")
	to, err := s.targetOf(c, in)
	if err != nil {
		return err
	}
	if c.MessageID != "" && to.Thread == "" {
		to.Thread = c.MessageID
	}
	err = s.through(ctx, in, to, fmt.Sprint("file ", t.ID), false, func(ctx context.Context) error {
		return s.outcome(c, s.tried(ctx, c, enum.PostFile, viaBot, s.chats[c.Chat].Upload(ctx, s.post, to, f)))
	})
	err = waiting(err)
	var gone *undeliverable
	if errors.As(err, &gone) {
		return s.noteFinally(ctx, c.ID, "the file "+f.Name+" is not sent: "+gone.reason)
	}
	return err
}

// endUpload notes that a file is not sent.
func (s *Service) endUpload(ctx context.Context, t *models.Task, _ error) error {
	var u uploadTask
	if err := json.Unmarshal([]byte(t.Payload), &u); err != nil {
		return nil // it names no file
	}
	return notThere(s.noteFinally(ctx, u.Command, "a file is not sent: an error in signalbox itself"))
}

// artifact reads one file of the artifacts of a command's job.
func (s *Service) artifact(ctx context.Context, c *models.ChatCommand, name string) ([]byte, error) {
	if c.JobID == nil {
		return nil, fault.New(fault.Invalid, "the command is about no single job")
	}
	row, err := s.ci.SharedArchive(ctx, *c.JobID)
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.Invalid, "the job left no artifacts")
	}
	if err != nil {
		return nil, err
	}
	entry, closer, err := s.ci.ArtifactEntry(ctx, row, name)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	r, err := entry.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxUpload+1))
	if err == nil && len(raw) > maxUpload {
		err = fault.New(fault.Invalid, "it is larger than %d MB", maxUpload>>20)
	}
	return raw, err
}
