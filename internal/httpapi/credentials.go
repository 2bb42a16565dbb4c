package httpapi

import (
	"strings"

	"github.com/gin-gonic/gin"
)

// Credentials are what a request carries to prove who asks.
type Credentials struct {
	Token    string // of a user, a project or a group
	JobToken string
	Sudo     string // whom an administrator acts for
}

// ReadCredentials takes them from all carriers that GitLab knows, in its order. Tokens in the query are taken
// for compatibility; nothing here logs a query.
func ReadCredentials(c *gin.Context) Credentials {
	q := c.Request.URL.Query()
	cr := Credentials{Token: c.GetHeader("PRIVATE-TOKEN"), JobToken: c.GetHeader("JOB-TOKEN"), Sudo: c.GetHeader("Sudo")}
	if cr.Token == "" {
		cr.Token = q.Get("private_token")
	}
	if kind, token, ok := strings.Cut(c.GetHeader("Authorization"), " "); cr.Token == "" && ok && strings.EqualFold(kind, "Bearer") {
		cr.Token = strings.TrimSpace(token)
	}
	if cr.Token == "" {
		cr.Token = q.Get("access_token")
	}
	if cr.JobToken == "" {
		cr.JobToken = q.Get("job_token")
	}
	if cr.Sudo == "" {
		cr.Sudo = q.Get("sudo")
	}
	return cr
}
