package httpapi

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// exposed are the headers that scripts of other sites may read, as GitLab lists them.
var exposed = strings.Join([]string{
	"ETag", "Link", "X-Gitlab-Blob-Id", "X-Gitlab-Commit-Id", "X-Gitlab-Content-Sha256", "X-Gitlab-Encoding", "X-Gitlab-File-Name", "X-Gitlab-File-Path",
	"X-Gitlab-Last-Commit-Id", "X-Gitlab-Ref", "X-Gitlab-Size", "X-Next-Page", "X-Page", "X-Per-Page", "X-Prev-Page", "X-Request-Id", "X-Total",
	"X-Total-Pages",
}, ", ")

const crossOriginMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// crossOrigin lets scripts of any site call the API, and answers what their browsers ask first. They do so as nobody or with a
// token that they hold: no browser sends a session along, because credentials are not allowed.
func crossOrigin(c *gin.Context) {
	if c.GetHeader("Origin") == "" {
		c.Next()
		return
	}
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", crossOriginMethods)
	h.Set("Access-Control-Expose-Headers", exposed)
	h.Set("Access-Control-Max-Age", "7200")
	if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
		if asked := c.GetHeader("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
		c.AbortWithStatus(http.StatusOK)
		return
	}
	c.Next()
}
