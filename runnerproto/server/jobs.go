package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/trace"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models/enum"
	"signalbox/runnerproto"
)

// updateInterval is how often, in seconds, a runner sends its log. Views are live, so it is short.
const updateInterval = "3"

func (s *Server) request(c *gin.Context) error {
	var r runnerproto.JobRequest
	if err := read(c, &r); err != nil {
		return err
	}
	if r.Token == "" {
		return &httpapi.ParamError{Text: "token is missing"}
	}
	ctx := c.Request.Context()
	a, err := s.ci.RequestJob(ctx, ci.JobRequest{Token: r.Token, Info: info(c, r.Info, r.SystemID), LastUpdate: r.LastUpdate})
	if err != nil {
		return err
	}
	if a.Offer == nil {
		c.Header(runnerproto.HeaderLastUpdate, a.LastUpdate)
		c.Status(http.StatusNoContent)
		return nil
	}
	c.JSON(http.StatusCreated, payload(a.Offer))
	return nil
}

// attempt authenticates a call of a job by its token, in the parameter or the header.
func (s *Server) attempt(c *gin.Context, parameter string) (*ci.Attempt, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return nil, &ci.NotProcessing{Reason: "Job not found"}
	}
	token := parameter
	if token == "" {
		token = c.Query("token")
	}
	if token == "" {
		token = c.GetHeader(runnerproto.HeaderJobToken)
	}
	if token == "" {
		return nil, &ci.NotProcessing{Reason: "Job not found"}
	}
	return s.ci.Attempt(c.Request.Context(), id, token)
}

func status(c *gin.Context, st enum.Status) {
	c.Header(runnerproto.HeaderJobStatus, string(st))
	c.Header(runnerproto.HeaderUpdateInterval, updateInterval)
}

func (s *Server) update(c *gin.Context) error {
	var r runnerproto.UpdateRequest
	if err := read(c, &r); err != nil {
		return err
	}
	a, err := s.attempt(c, r.Token)
	if err != nil {
		return err
	}
	switch r.State {
	case "running": // accepted and noted by attempt
	case "success", "failed":
		out, err := outcome(r)
		if err != nil {
			return err
		}
		err = s.ci.Finish(c.Request.Context(), a, out)
		if errors.Is(err, ci.ErrTraceIncomplete) {
			status(c, a.Status())
			c.JSON(http.StatusPreconditionFailed, gin.H{"message": "412 Precondition Failed - " + err.Error()})
			return nil
		}
		if err != nil {
			return err
		}
	default:
		return fault.Refused(fault.Invalid, "unknown state")
	}
	status(c, a.Status())
	c.String(http.StatusOK, "200")
	return nil
}

func outcome(r runnerproto.UpdateRequest) (ci.Outcome, error) {
	o := ci.Outcome{Success: r.State == "success", ExitCode: r.ExitCode}
	if !o.Success {
		o.Reason = enum.ParseFailureReason(r.FailureReason)
	}
	checksum := r.Checksum
	if r.Output != nil {
		o.TraceSize = r.Output.Bytesize
		if r.Output.Checksum != "" {
			checksum = r.Output.Checksum
		}
	}
	if checksum == "" {
		return o, nil
	}
	hex, ok := strings.CutPrefix(checksum, "crc32:")
	sum, err := strconv.ParseUint(hex, 16, 32)
	if !ok || err != nil {
		return o, fault.Refused(fault.Invalid, "the checksum is not crc32:xxxxxxxx")
	}
	crc := uint32(sum)
	o.TraceSum = &crc
	return o, nil
}

// maxPatch bounds one piece of a log; runners send at most 1 MiB.
const maxPatch = 4 << 20

// slowBody is how long a piece of a log may take to come until its job is asked for again.
const slowBody = time.Second

func (s *Server) appendTrace(c *gin.Context) error {
	a, err := s.attempt(c, "")
	if err != nil {
		return err
	}
	start, err := contentRange(c.GetHeader("Content-Range"))
	if err != nil {
		return err
	}
	began := time.Now()
	data, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxPatch))
	if err == nil && time.Since(began) > slowBody {
		if a, err = s.attempt(c, ""); err != nil { // the job may have ended while the bytes came
			return err
		}
	}
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return fault.Refused(fault.TooLarge, "")
		}
		return fault.Refused(fault.Invalid, "the log was cut off").Because(err)
	}
	if debug, _ := strconv.ParseBool(c.Query("debug_trace")); debug {
		if err := s.ci.NoteDebugMode(c.Request.Context(), a); err != nil {
			return err
		}
	}
	size, err := s.ci.AppendTrace(c.Request.Context(), a, start, data)
	var gap *trace.RangeError
	switch {
	case errors.As(err, &gap):
		status(c, a.Status())
		c.Header("Range", fmt.Sprintf("0-%d", gap.Size))
		c.String(http.StatusRequestedRangeNotSatisfiable, "416 Range Not Satisfiable")
		return nil
	case errors.Is(err, trace.ErrTooLarge):
		return &ci.NotProcessing{Job: a.Job, Reason: "Job log is over its limit"}
	case err != nil:
		return err
	}
	status(c, a.Status())
	c.Header("Range", fmt.Sprintf("0-%d", size))
	c.String(http.StatusAccepted, "202 Accepted")
	return nil
}

// contentRange reads where a piece of a log starts. Its end is not trusted; the body's length counts.
func contentRange(h string) (int64, error) {
	if h == "" {
		return 0, fault.Refused(fault.Invalid, "Missing header Content-Range")
	}
	first, _, ok := strings.Cut(h, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if !ok || err != nil || start < 0 {
		return 0, fault.Refused(fault.Invalid, "Content-Range is not start-end")
	}
	return start, nil
}
