package mattermost

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// press is what Mattermost tells of a button. Nothing signs it: the sealed value, which no person ever sees, proves that the
// server sent it.
type press struct {
	UserID      string            `json:"user_id"`
	UserName    string            `json:"user_name"`
	ChannelID   string            `json:"channel_id"`
	ChannelName string            `json:"channel_name"`
	TeamID      string            `json:"team_id"`
	TeamDomain  string            `json:"team_domain"`
	PostID      string            `json:"post_id"`
	Trigger     string            `json:"trigger_id"`
	Context     map[string]string `json:"context"`
}

// interaction takes the press of a button, and answers to whoever pressed it.
func (h *Handler) interaction(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	var p press
	if err := json.Unmarshal(raw, &p); err != nil {
		return fault.Refused(fault.Invalid, "the body is no JSON").Because(err)
	}
	var form *chatops.Form
	var cmd chatops.Command
	asked := chatops.Asked{Kind: enum.Interaction, UserID: p.UserID, UserName: p.UserName}
	var problem error
	in, err := h.service.Judge(c.Request.Context(), c.Param("id"), enum.Mattermost, asked, func(in *models.ChatIntegration, _ string) enum.Verdict {
		form, cmd, problem = h.service.Press(c.Request.Context(), in, chatops.Command{
			Workspace: p.TeamID, WorkspaceDomain: p.TeamDomain, ChannelID: p.ChannelID, ChannelName: p.ChannelName, UserID: p.UserID, UserName: p.UserName,
			MessageID: p.PostID,
		}, p.Context["value"])
		return verdict(problem)
	})
	switch {
	case fault.KindOf(problem) == fault.Invalid:
		c.JSON(http.StatusOK, gin.H{"ephemeral_text": fault.Message(problem)})
		return nil
	case err != nil:
		return err
	case problem != nil:
		return problem
	case form != nil:
		body := gin.H{}
		if err := h.service.Ask(c.Request.Context(), in, cmd, p.Trigger, *form); err != nil {
			body["ephemeral_text"] = fault.Message(err)
		}
		c.JSON(http.StatusOK, body)
		return nil
	}
	answer, err := h.service.Receive(c.Request.Context(), in, cmd)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"ephemeral_text": chatops.Markdown(answer.Text)})
	return nil
}

// verdict tells what is not of ours from what is and cannot be done.
func verdict(problem error) enum.Verdict {
	if fault.KindOf(problem) == fault.Forbidden {
		return enum.BadSignature
	}
	return enum.Taken
}
