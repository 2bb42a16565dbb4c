// Package api is the REST API, version 4, as GitLab's clients speak it: one file a resource. An endpoint is
// its parameters (a struct), a use case and an entity; who may ask and what the address names is found
// before (facts: rest-api).
package api

import (
	"log/slog"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/ci"
	"signalbox/ci/access"
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

// Register adds the endpoints to a group at /api/v4.
func Register(r gin.IRouter, c *ci.Coordinator, auth *access.Authenticator, chat *chatops.Service, log *slog.Logger) {
	s := &Server{ci: c, auth: auth, chat: chat, log: log}
	at := routes{s, r}
	s.instanceRoutes(at)
	s.userRoutes(at)
	s.tokenRoutes(at)
	s.groupRoutes(at)
	s.projectRoutes(at)
	s.memberRoutes(at)
	s.protectedRoutes(at)
	s.branchRoutes(at)
	s.commitRoutes(at)
	s.fileRoutes(at)
	s.pipelineRoutes(at)
	s.jobRoutes(at)
	s.artifactRoutes(at)
	s.resourceRoutes(at)
	s.environmentRoutes(at)
	s.deploymentRoutes(at)
	s.scheduleRoutes(at)
	s.triggerRoutes(at)
	s.freezeRoutes(at)
	s.jobTokenRoutes(at)
	s.releaseRoutes(at)
	s.releaseLinkRoutes(at)
	s.hookRoutes(at)
	s.testReportRoutes(at)
	s.protectionRoutes(at)
	s.runnerRoutes(at)
	s.variableRoutes(at)
	s.lintRoutes(at)
	s.chatRoutes(at)
	s.chatRuleRoutes(at)
	s.slackAppRoutes(at)
	s.chatNotificationRoutes(at)
	s.integrationRoutes(at)
	s.auditRoutes(at)
	s.mergeRequestRoutes(at)
}

// pageOf is a page of rows for a page that a client asks for.
func pageOf(p httpapi.Page) models.Page {
	return models.Page{Number: p.Number, PerPage: p.PerPage()}
}

func each[T, E any](rows []T, f func(T) E) []E {
	out := make([]E, 0, len(rows))
	for _, r := range rows {
		out = append(out, f(r))
	}
	return out
}

// given is a text, or nil if there is none.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
