// Package server holds the endpoints that runners call: it reads their requests, asks the engine, and gives
// the statuses and headers of the protocol (facts: runner-protocol).
package server

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/runnerproto"
)

// Server serves the runner protocol.
type Server struct {
	ci *ci.Coordinator
}

// Register adds the endpoints to a group at /api/v4.
func Register(r gin.IRouter, c *ci.Coordinator, log *slog.Logger) {
	s := &Server{ci: c}
	handle := func(h httpapi.Handler) gin.HandlerFunc { return httpapi.Handle(log, refusals(h)) }
	r.POST("/runners", handle(s.register))
	r.POST("/runners/verify", handle(s.verify))
	r.DELETE("/runners", handle(s.unregister))
	r.DELETE("/runners/managers", handle(s.unregisterManager))
	r.POST("/runners/reset_authentication_token", handle(s.resetToken))
	r.POST("/jobs/request", handle(s.request))
	r.PUT("/jobs/:id", handle(s.update))
	r.PATCH("/jobs/:id/trace", handle(s.appendTrace))
	r.POST("/jobs/:id/artifacts", handle(s.upload))
	r.GET("/jobs/:id/artifacts", handle(s.download))
}

// refusals answers calls for attempts that are over: 403 with the job's status, so that the runner stops.
func refusals(h httpapi.Handler) httpapi.Handler {
	return func(c *gin.Context) error {
		err := h(c)
		var over *ci.NotProcessing
		if !errors.As(err, &over) {
			return err
		}
		if over.Job != nil {
			c.Header(runnerproto.HeaderJobStatus, string(over.Job.Status))
		}
		return fault.Refused(fault.Forbidden, "%s", over.Reason)
	}
}

// maxJSON bounds a JSON body of a runner.
const maxJSON = 64 << 10

// read decodes a JSON body; an empty one leaves everything empty.
func read(c *gin.Context, into any) error {
	err := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, maxJSON)).Decode(into)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fault.Refused(fault.TooLarge, "")
	}
	return fault.Refused(fault.Invalid, "the body is not the JSON that is expected here").Because(err)
}

func info(c *gin.Context, i runnerproto.Info, systemID string) ci.RunnerInfo {
	return ci.RunnerInfo{
		SystemID: systemID, Version: i.Version, Revision: i.Revision, Platform: i.Platform, Architecture: i.Architecture,
		Executor: i.Executor, IPAddress: c.ClientIP(), Features: i.Features,
	}
}

func (s *Server) register(c *gin.Context) error {
	var r runnerproto.RegisterRequest
	if err := read(c, &r); err != nil {
		return err
	}
	if r.Token == "" {
		return &httpapi.ParamError{Text: "token is missing"}
	}
	if r.Active != nil && r.Paused != nil {
		return &httpapi.ParamError{Text: "active, paused are mutually exclusive"}
	}
	tags, err := tagList(r.Tags)
	if err != nil {
		return err
	}
	runner, token, err := s.ci.RegisterRunner(c.Request.Context(), r.Token, ci.RunnerSettings{
		Description: r.Description, MaintenanceNote: r.MaintenanceNote, MaximumTimeout: r.MaximumTimeout, Tags: tags,
		Paused: r.Paused != nil && *r.Paused || r.Active != nil && !*r.Active, Locked: r.Locked != nil && *r.Locked,
		RunUntagged: r.RunUntagged == nil || *r.RunUntagged, RefProtected: r.AccessLevel == "ref_protected",
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, answer(runner, token))
	return nil
}

func answer(r *models.Runner, token string) runnerproto.RegisterResponse {
	a := runnerproto.RegisterResponse{ID: r.ID, Token: token}
	if r.TokenExpiresAt != nil {
		at := r.TokenExpiresAt.Format("2006-01-02T15:04:05.000Z")
		a.TokenExpiresAt = &at
	}
	return a
}

func tagList(v any) ([]string, error) {
	var out []string
	switch v := v.(type) {
	case nil:
	case string:
		for _, t := range strings.Split(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				out = append(out, t)
			}
		}
	case []any:
		for _, t := range v {
			s, ok := t.(string)
			if !ok {
				return nil, &httpapi.ParamError{Text: "tag_list is invalid"}
			}
			out = append(out, s)
		}
	default:
		return nil, &httpapi.ParamError{Text: "tag_list is invalid"}
	}
	return out, nil
}

// token reads the body of verify, unregister and reset.
func token(c *gin.Context) (runnerproto.TokenRequest, error) {
	var r runnerproto.TokenRequest
	if err := read(c, &r); err != nil {
		return r, err
	}
	if r.Token == "" {
		r.Token = c.Query("token")
	}
	if r.Token == "" {
		return r, &httpapi.ParamError{Text: "token is missing"}
	}
	return r, nil
}

func (s *Server) verify(c *gin.Context) error {
	r, err := token(c)
	if err != nil {
		return err
	}
	machine := ci.RunnerInfo{SystemID: r.SystemID}
	if r.Info != nil {
		machine = info(c, *r.Info, r.SystemID)
	}
	runner, err := s.ci.VerifyRunner(c.Request.Context(), r.Token, machine)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, answer(runner, r.Token))
	return nil
}

func (s *Server) unregister(c *gin.Context) error {
	r, err := token(c)
	if err != nil {
		return err
	}
	if err := s.ci.DeleteRunner(c.Request.Context(), r.Token); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (s *Server) unregisterManager(c *gin.Context) error {
	r, err := token(c)
	if err != nil {
		return err
	}
	if err := s.ci.DeleteManager(c.Request.Context(), r.Token, r.SystemID); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (s *Server) resetToken(c *gin.Context) error {
	r, err := token(c)
	if err != nil {
		return err
	}
	runner, fresh, err := s.ci.ResetRunnerToken(c.Request.Context(), r.Token)
	if err != nil {
		return err
	}
	a := answer(runner, fresh)
	c.JSON(http.StatusCreated, gin.H{"token": a.Token, "token_expires_at": a.TokenExpiresAt})
	return nil
}
