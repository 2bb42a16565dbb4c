package httpapi

import (
	"strings"

	"github.com/gin-gonic/gin"
)

// Token reads the token of an API request, from the carriers that GitLab takes, in its order; "" if none.
// Tokens in the query are taken for compatibility; nothing here logs a query.
func Token(c *gin.Context) string {
	if t := c.GetHeader("PRIVATE-TOKEN"); t != "" {
		return t
	}
	if t := c.Query("private_token"); t != "" {
		return t
	}
	if t, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer "); ok {
		return t
	}
	return c.Query("access_token")
}
