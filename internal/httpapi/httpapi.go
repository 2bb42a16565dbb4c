// Package httpapi is what all HTTP faces share: an engine with safe settings, handlers that return errors,
// GitLab's error bodies, credentials, parameters and pages of lists. It knows no resource.
package httpapi

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"signalbox/internal/fault"
)

// Handler answers a request, or returns why it cannot. It writes success itself.
type Handler func(*gin.Context) error

// ParamError is a parameter that is missing or wrong; GitLab puts these under the key error.
type ParamError struct{ Text string }

func (e *ParamError) Error() string { return e.Text }

// NewEngine makes an engine that takes paths as they are: ids are unescaped once, nothing is redirected.
func NewEngine(log *slog.Logger, trusted []netip.Prefix) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.UseRawPath, e.UnescapePathValues = true, true
	e.RedirectTrailingSlash, e.RedirectFixedPath = false, false
	e.HandleMethodNotAllowed = true
	proxies := make([]string, len(trusted))
	for i, p := range trusted {
		proxies[i] = p.String()
	}
	if err := e.SetTrustedProxies(proxies); err != nil {
		log.Error("trusted proxies", "error", err) // prefixes were parsed before
	}
	e.Use(requestID, recovered(log), headers, crossOrigin, readable)
	return e
}

const requestIDKey = "request_id"

// requestID gives every request an id that its answer and its log lines carry.
func requestID(c *gin.Context) {
	id := c.GetHeader("X-Request-Id")
	if len(id) == 0 || len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		b := make([]byte, 16)
		rand.Read(b)
		id = hex.EncodeToString(b)
	}
	c.Set(requestIDKey, id)
	c.Header("X-Request-Id", id)
	c.Next()
}

// readable refuses addresses that are no text, before they reach a database.
func readable(c *gin.Context) {
	path := c.Request.URL.Path
	if !utf8.ValidString(path) || strings.ContainsRune(path, 0) {
		c.AbortWithStatusJSON(http.StatusBadRequest, gin.H{"message": Text(errMalformed)})
		return
	}
	c.Next()
}

func recovered(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			log.ErrorContext(c.Request.Context(), "panic", "route", c.FullPath(), "panic", p,
				"request_id", c.GetString(requestIDKey), "stack", string(debug.Stack()))
			if !c.Writer.Written() {
				c.JSON(http.StatusInternalServerError, gin.H{"message": "500 Internal Server Error"})
			}
			c.Abort()
		}()
		c.Next()
	}
}

// Handle runs a handler and renders its error in GitLab's shape.
func Handle(log *slog.Logger, h Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := h(c)
		if err == nil {
			return
		}
		status, body := Render(err)
		if status >= http.StatusInternalServerError && c.Request.Context().Err() == nil {
			log.ErrorContext(c.Request.Context(), "request failed", "method", c.Request.Method, "route", c.FullPath(),
				"request_id", c.GetString(requestIDKey), "error", err)
		}
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // the answer is under way; cutting it off is the only honest end
		}
		c.Abort()
		if err := WriteJSON(c, status, body); err != nil {
			log.DebugContext(c.Request.Context(), "answer not taken", "error", err)
		}
	}
}

// statuses maps kinds of faults; the one place that does for the API.
var statuses = map[fault.Kind]int{
	fault.NotFound: http.StatusNotFound, fault.Forbidden: http.StatusForbidden, fault.Unauthorized: http.StatusUnauthorized,
	fault.Invalid: http.StatusBadRequest, fault.Conflict: http.StatusConflict, fault.TooLarge: http.StatusRequestEntityTooLarge,
	fault.Unavailable: http.StatusServiceUnavailable, fault.NotAllowed: http.StatusUnprocessableEntity,
	fault.TooMany: http.StatusTooManyRequests, fault.WrongMethod: http.StatusMethodNotAllowed, fault.Precondition: http.StatusPreconditionFailed,
	fault.Unprocessable: http.StatusUnprocessableEntity, fault.TooSlow: http.StatusRequestTimeout, fault.OutOfSpace: http.StatusServiceUnavailable,
}

// plain are the kinds whose text stands under the key error.
var plain = map[fault.Kind]bool{fault.WrongMethod: true}

// Render gives the status and the body of an error. Nothing of an internal one is shown.
func Render(err error) (int, any) {
	var param *ParamError
	if errors.As(err, &param) {
		return http.StatusBadRequest, gin.H{"error": param.Text}
	}
	var fields fault.Fields
	if errors.As(err, &fields) {
		return http.StatusBadRequest, gin.H{"message": fields}
	}
	if status, ok := statuses[fault.KindOf(err)]; ok {
		if plain[fault.KindOf(err)] {
			return status, gin.H{"error": Text(err)}
		}
		return status, gin.H{"message": Text(err)}
	}
	if errors.Is(err, syscall.EROFS) {
		return http.StatusServiceUnavailable, gin.H{"message": "503 Service Unavailable - the server's disk is read-only"}
	}
	return http.StatusInternalServerError, gin.H{"message": "500 Internal Server Error"}
}

// Time is a time as GitLab writes it: UTC with milliseconds.
type Time time.Time

// MarshalJSON writes the time.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z") + `"`), nil
}

// TimeOf is a time that may be missing.
func TimeOf(t *time.Time) *Time {
	if t == nil {
		return nil
	}
	out := Time(*t)
	return &out
}
