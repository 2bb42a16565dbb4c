package chatops

import (
	"context"
	"fmt"
	"strings"

	"signalbox/models"
	"signalbox/models/enum"
)

// Move is something that a command does with a job or a pipeline.
type Move struct {
	Label string
	Style ButtonStyle
	Text  string // of the command
	Turn  string // tells presses of one text apart that are not the same, such as before and after another attempt
	again int64  // number of the command whose text it is
}

// runAgain is the label of what is done once more as it was.
const runAgain = "Run again"

// Moves are what can be done with a job as it stands.
func (s *Service) Moves(ctx context.Context, job *models.Job) ([]Move, error) {
	if job == nil || job.Retried {
		return nil, nil
	}
	move := func(label string, style ButtonStyle, verb Verb) Move {
		return Move{Label: label, Style: style, Text: fmt.Sprintf("%s #%d", verb, job.ID)}
	}
	switch {
	case job.Status == enum.Manual:
		blocked := false
		err := s.db.Read(ctx, func(tx *models.Tx) error {
			d, err := tx.DeploymentOfJob(job.ID)
			blocked = err == nil && d.Status == "blocked"
			return notThere(err)
		})
		if blocked {
			return []Move{move("Approve", Primary, Approve), move("Reject", Danger, Reject)}, err
		}
		return []Move{move("Start", Primary, Start)}, err
	case job.Status.Cancelable():
		return []Move{move("Cancel", Danger, Cancel)}, nil
	case job.Status == enum.Success:
		return []Move{move(runAgain, Plain, Retry)}, nil
	case job.Status.Completed():
		return []Move{move("Retry", Primary, Retry)}, nil
	}
	return nil, nil
}

// maxWaiting is how many moves a pipeline's jobs that wait have. With those of the pipeline every chat shows them.
const maxWaiting = 10

// PipelineMoves are what can be done with a pipeline of several jobs as it stands: with those of its jobs that wait for somebody, the
// first ones if there are many, and with itself. A command of that integration, or of any if in is nil, is given again after success.
// turn changes with each attempt.
func (s *Service) PipelineMoves(ctx context.Context, in *models.ChatIntegration, p *models.Pipeline, jobs []*models.Job, turn int64) ([]Move, error) {
	var out []Move
	for _, j := range jobs {
		if j.Status != enum.Manual {
			continue
		}
		own, err := s.Moves(ctx, j)
		if err != nil {
			return nil, err
		}
		if len(out)+len(own) > maxWaiting {
			break
		}
		for _, m := range own {
			m.Label = labelOf(m.Label, j)
			out = append(out, m)
		}
	}
	move := func(label string, style ButtonStyle, verb Verb) Move {
		return Move{Label: label, Style: style, Text: fmt.Sprintf("%s pipeline #%d", verb, p.ID), Turn: fmt.Sprint(turn)}
	}
	switch {
	case p.Status.Cancelable():
		out = append(out, move("Cancel", Danger, Cancel))
	case p.Status == enum.Failed || p.Status == enum.Canceled:
		out = append(out, move("Retry", Primary, Retry))
	case p.Status == enum.Success:
		run, err := s.runOf(ctx, p.ID, func(c *models.ChatCommand) bool { return in == nil || runBy(c, in) })
		if err != nil {
			return nil, err
		}
		if run != nil {
			out = append(out, Move{Label: runAgain, Text: run.Text, again: run.ID})
		}
	}
	return out, nil
}

// labelOf is what a button about one of several jobs says, within what every chat takes.
func labelOf(verb string, job *models.Job) string {
	text := verb + " " + job.Name
	if len(text) <= maxLabel {
		return text
	}
	end := fmt.Sprintf("… #%d", job.ID)
	return strings.ToValidUTF8(text[:maxLabel-len(end)], "") + end
}

// maxNamed is how many jobs that wait are named.
const maxNamed = 20

// byHand names the jobs that wait to be started by hand, as what is said of their pipeline goes on; "" if there are none.
func byHand(jobs []*models.Job) string {
	var names []string
	more := 0
	for _, j := range jobs {
		switch {
		case j.Status != enum.Manual:
		case len(names) == maxNamed:
			more++
		default:
			names = append(names, fmt.Sprintf("%s (`play #%d`)", j.Name, j.ID))
		}
	}
	if len(names) == 0 {
		return ""
	}
	text := ", to be started by hand: " + strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
