// Package api is the REST API, version 4, as GitLab's clients speak it: one file a resource. A handler finds
// who is asking, reads its parameters, calls a use case and renders an entity (facts: rest-api).
package api

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// Server serves the API.
type Server struct {
	ci   *ci.Coordinator
	auth *access.Authenticator
	chat *chatops.Service
	log  *slog.Logger
}

// handler answers a request of a known actor.
type handler func(c *gin.Context, a access.Actor) error

// Register adds the endpoints to a group at /api/v4.
func Register(r gin.IRouter, c *ci.Coordinator, auth *access.Authenticator, chat *chatops.Service, log *slog.Logger) {
	s := &Server{ci: c, auth: auth, chat: chat, log: log}
	r.GET("/version", s.user(s.version))
	r.GET("/metadata", s.user(s.version))
	s.userRoutes(r)
	s.projectRoutes(r)
	s.pipelineRoutes(r)
	s.jobRoutes(r)
	s.runnerRoutes(r)
	s.chatRoutes(r)
}

// public runs a handler for anybody; a token that is given must be good.
func (s *Server) public(h handler) gin.HandlerFunc {
	return httpapi.Handle(s.log, func(c *gin.Context) error {
		token := httpapi.Token(c)
		if token == "" {
			return h(c, access.Actor{})
		}
		a, err := s.auth.Token(c.Request.Context(), token)
		var invalid *access.InvalidToken
		if errors.As(err, &invalid) {
			c.Header("WWW-Authenticate", `Bearer realm="Protected by OAuth 2.0", error="invalid_token"`)
			c.JSON(http.StatusUnauthorized, gin.H{"error": "invalid_token", "error_description": invalid.Description})
			return nil
		}
		if err != nil {
			return err
		}
		if !reads(c) && a.Scopes != nil && !slices.Contains(a.Scopes, "api") && !slices.Contains(a.Scopes, "create_runner") {
			return insufficientScope(c)
		}
		return h(c, a)
	})
}

func reads(c *gin.Context) bool {
	return c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead
}

func insufficientScope(c *gin.Context) error {
	c.JSON(http.StatusForbidden, gin.H{
		"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.",
		"scope": "api",
	})
	return nil
}

// user runs a handler for somebody who is signed in.
func (s *Server) user(h handler) gin.HandlerFunc {
	return s.public(func(c *gin.Context, a access.Actor) error {
		if a.User == nil {
			return fault.New(fault.Unauthorized, "401 Unauthorized")
		}
		return h(c, a)
	})
}

// admin runs a handler for an administrator.
func (s *Server) admin(h handler) gin.HandlerFunc {
	return s.user(func(c *gin.Context, a access.Actor) error {
		if !access.Allowed(a, access.AdminInstance, access.Subject{}) {
			return fault.New(fault.Forbidden, "403 Forbidden")
		}
		return h(c, a)
	})
}

// projectHandler answers a request about a project that the actor may use in that way.
type projectHandler func(c *gin.Context, a access.Actor, p *models.Project) error

// project finds the project of :id, by number or path.
func (s *Server) project(ability access.Ability, h projectHandler) gin.HandlerFunc {
	wrap := s.public
	if ability != access.ReadProject && ability != access.ReadPipelines && ability != access.ReadRepository {
		wrap = s.user
	}
	return wrap(func(c *gin.Context, a access.Actor) error {
		p, _, err := s.ci.FindProject(c.Request.Context(), a, c.Param("id"), ability)
		if err != nil {
			return err
		}
		return h(c, a, p)
	})
}

func (s *Server) version(c *gin.Context, _ access.Actor) error {
	c.JSON(http.StatusOK, gin.H{
		"version": ci.Version, "revision": "signalbox", "enterprise": false,
		"kas": gin.H{"enabled": false, "externalUrl": nil, "version": nil},
	})
	return nil
}

// id reads a numeric part of the address.
func id(c *gin.Context, name, thing string) (int64, error) {
	n, err := strconv.ParseInt(c.Param(name), 10, 64)
	if err != nil {
		return 0, fault.New(fault.NotFound, "404 %s Not Found", thing)
	}
	return n, nil
}

// missing turns a missing row into GitLab's words.
func missing(err error, thing string) error {
	if errors.Is(err, models.ErrNotFound) {
		return fault.New(fault.NotFound, "404 %s Not Found", thing)
	}
	return err
}

// list writes one page of a list.
func (s *Server) list(c *gin.Context, page models.Page, total int64, entities any) error {
	httpapi.WritePageHeaders(c, s.ci.URL(), page.Number, page.PerPage, total)
	c.JSON(http.StatusOK, entities)
	return nil
}

func page(c *gin.Context) (models.Page, error) {
	number, size, err := httpapi.Page(c)
	return models.Page{Number: number, PerPage: size}, err
}

func each[T, E any](rows []T, f func(T) E) []E {
	out := make([]E, 0, len(rows))
	for _, r := range rows {
		out = append(out, f(r))
	}
	return out
}
