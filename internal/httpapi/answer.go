package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

const startKey = "started"

// headers sets what every answer carries (facts: rest-api 1.7).
func headers(c *gin.Context) {
	c.Set(startKey, time.Now())
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Vary", "Origin")
	h.Set("X-Gitlab-Meta", `{"correlation_id":"`+c.GetString(requestIDKey)+`","version":"1"}`)
	c.Next()
}

// WriteJSON answers with a value. An answer to a read has an ETag, and is left out when the client has it.
func WriteJSON(c *gin.Context, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}
	h := c.Writer.Header()
	h.Set("Cache-Control", "max-age=0, private, must-revalidate")
	if started, ok := c.Get(startKey); ok {
		h.Set("X-Runtime", strconv.FormatFloat(time.Since(started.(time.Time)).Seconds(), 'f', 6, 64))
	}
	if status == http.StatusOK && c.Request.Method == http.MethodGet && Unchanged(c, body) {
		return nil
	}
	h.Set("Content-Type", "application/json")
	c.Status(status)
	_, err = c.Writer.Write(body)
	return err
}

// Unchanged sets the ETag of a body and answers 304 if the client has it.
func Unchanged(c *gin.Context, body []byte) bool {
	sum := sha256.Sum256(body)
	return UnchangedTag(c, hex.EncodeToString(sum[:16]))
}

// UnchangedTag is Unchanged for a body whose version is known otherwise.
func UnchangedTag(c *gin.Context, version string) bool {
	tag := `W/"` + version + `"`
	c.Header("ETag", tag)
	for _, have := range strings.Split(c.GetHeader("If-None-Match"), ",") {
		have = strings.TrimSpace(have)
		if have == "*" || strings.TrimPrefix(have, "W/") == strings.TrimPrefix(tag, "W/") {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return true
		}
	}
	return false
}

type headKey struct{}

// Mirror lets HEAD find the routes of GET; the body is dropped on the way out.
func Mirror(r *http.Request) *http.Request {
	if r.Method != http.MethodHead {
		return r
	}
	get := r.Clone(context.WithValue(r.Context(), headKey{}, true))
	get.Method = http.MethodGet
	return get
}

// IsHead says whether the client wants the headers alone.
func IsHead(c *gin.Context) bool {
	head, _ := c.Request.Context().Value(headKey{}).(bool)
	return head
}
