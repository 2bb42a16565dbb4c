package chatops

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// ErrNoIntegration is the one answer to an unknown project, an inactive integration, a wrong token and a
// forged signature, so that nobody learns which of them it was.
var ErrNoIntegration = fault.Missing("Integration")

// Proof says whether a request is genuine, by the integration and its signing secret, "" if it has none.
type Proof func(in *models.ChatIntegration, signing string) bool

// Check decides of a request by the integration and its signing secret, "" if it has none: enum.Taken if it is genuine.
type Check func(in *models.ChatIntegration, signing string) enum.Verdict

// ByToken is the check of a slash command: the integration's token, and whatever else is asked of the request.
func ByToken(token string, more func(signing string) enum.Verdict) Check {
	return func(in *models.ChatIntegration, signing string) enum.Verdict {
		known, verdict := secret.Matches(token, in.TokenHash), enum.Taken
		if more != nil {
			verdict = more(signing)
		}
		if !known {
			return enum.WrongToken
		}
		return verdict
	}
}

// Authenticate finds the integration that a request may speak for.
func (s *Service) Authenticate(ctx context.Context, projectID string, chat enum.Chat, proof Proof) (*models.ChatIntegration, error) {
	return s.Judge(ctx, projectID, chat, Asked{}, func(in *models.ChatIntegration, signing string) enum.Verdict {
		if proof(in, signing) {
			return enum.Taken
		}
		return enum.WrongToken
	})
}

// Judge finds the integration that a request may speak for, and notes requests that may not.
func (s *Service) Judge(ctx context.Context, projectID string, chat enum.Chat, r Asked, check Check) (*models.ChatIntegration, error) {
	var in *models.ChatIntegration
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		var p *models.Project
		id, err := strconv.ParseInt(projectID, 10, 64)
		if err == nil {
			p, err = tx.Project(id)
		} else {
			p, err = tx.ProjectByPath(projectID)
		}
		if err != nil {
			return err
		}
		if p.PendingDelete {
			return models.ErrNotFound
		}
		in, err = tx.Integration(p.ID, chat)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		check(&models.ChatIntegration{TokenHash: secret.Hash("")}, "") // the same work as for a known one
		return nil, ErrNoIntegration
	}
	if err != nil {
		return nil, err
	}
	signing, err := s.keys.Open(in.Place("signing_secret"), in.SigningSecret)
	if err != nil {
		return nil, err
	}
	verdict := check(in, signing)
	if verdict == enum.Taken && in.Active {
		return in, nil
	}
	reason := ""
	if verdict == enum.Taken {
		verdict, reason = enum.Refused, "the integration is switched off"
	}
	s.Note(in, r, verdict, reason, http.StatusNotFound)
	return nil, ErrNoIntegration
}
