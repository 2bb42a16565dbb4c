// Package client is a small client of the runner protocol, for the built-in runner, tests and benchmarks.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox/runnerproto"
)

// Client talks to one coordinator with one runner token.
type Client struct {
	URL      string // without a trailing slash
	Token    string
	SystemID string
	Info     runnerproto.Info
	HTTP     *http.Client // http.DefaultClient if nil

	lastUpdate string
}

// Answer is what matters of a response.
type Answer struct {
	Code      int
	JobStatus string
	Range     string
	Interval  time.Duration // until the next piece of log; 0 if not said
	Body      []byte
}

const maxAnswer = 8 << 20

func (c *Client) do(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+"/api/v4"+path, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", "signalbox-runner "+c.Info.Version)
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	return h.Do(r)
}

func (c *Client) call(ctx context.Context, method, path string, header http.Header, body io.Reader) (Answer, http.Header, error) {
	res, err := c.do(ctx, method, path, header, body)
	if err != nil {
		return Answer{}, nil, err
	}
	defer res.Body.Close()
	a := Answer{Code: res.StatusCode, JobStatus: res.Header.Get(runnerproto.HeaderJobStatus), Range: res.Header.Get("Range")}
	if s, err := strconv.Atoi(res.Header.Get(runnerproto.HeaderUpdateInterval)); err == nil {
		a.Interval = time.Duration(s) * time.Second
	}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return a, res.Header, err
}

func (c *Client) json(ctx context.Context, method, path string, body any) (Answer, http.Header, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return Answer{}, nil, err
	}
	return c.call(ctx, method, path, http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}, bytes.NewReader(text))
}

// LastUpdate is the version of the queue that the coordinator named last.
func (c *Client) LastUpdate() string { return c.lastUpdate }

// Verify asks whether the token is good.
func (c *Client) Verify(ctx context.Context) error {
	a, _, err := c.json(ctx, http.MethodPost, "/runners/verify", runnerproto.TokenRequest{Token: c.Token, SystemID: c.SystemID, Info: &c.Info})
	if err == nil && a.Code != http.StatusOK {
		err = fmt.Errorf("the coordinator answers %d to the runner's token", a.Code)
	}
	return err
}

// Request asks for a job. It answers nil if there is none; the coordinator may hold the request for a while.
func (c *Client) Request(ctx context.Context) (*runnerproto.Job, error) {
	a, header, err := c.json(ctx, http.MethodPost, "/jobs/request", runnerproto.JobRequest{
		Info: c.Info, Token: c.Token, SystemID: c.SystemID, LastUpdate: c.lastUpdate,
	})
	if err != nil {
		return nil, err
	}
	switch a.Code {
	case http.StatusCreated:
		var job runnerproto.Job
		if err := json.Unmarshal(a.Body, &job); err != nil {
			return nil, fmt.Errorf("payload of a job: %w", err)
		}
		return &job, nil
	case http.StatusNoContent:
		if v := header.Get(runnerproto.HeaderLastUpdate); v != "" {
			c.lastUpdate = v
		}
		return nil, nil
	}
	return nil, fmt.Errorf("the coordinator answers %d to a request for a job", a.Code)
}

// Update reports the state of a job.
func (c *Client) Update(ctx context.Context, job *runnerproto.Job, u runnerproto.UpdateRequest) (Answer, error) {
	u.Token, u.Info = job.Token, c.Info
	a, _, err := c.json(ctx, http.MethodPut, "/jobs/"+strconv.FormatInt(job.ID, 10), u)
	return a, err
}

// Patch sends a piece of a job's log.
func (c *Client) Patch(ctx context.Context, job *runnerproto.Job, start int64, data []byte) (Answer, error) {
	a, _, err := c.call(ctx, http.MethodPatch, fmt.Sprintf("/jobs/%d/trace", job.ID), http.Header{
		"Content-Type": {"text/plain"}, "Job-Token": {job.Token}, "Content-Range": {fmt.Sprintf("%d-%d", start, start+int64(len(data))-1)},
	}, bytes.NewReader(data))
	return a, err
}

// Upload sends an artifact.
func (c *Client) Upload(ctx context.Context, job *runnerproto.Job, artifact runnerproto.Artifact, filename string, content io.Reader) error {
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() {
		part, err := form.CreateFormFile("file", filename)
		if err == nil {
			_, err = io.Copy(part, content)
		}
		if err == nil {
			err = form.Close()
		}
		pw.CloseWithError(err)
	}()
	q := url.Values{"artifact_type": {artifact.Type}, "artifact_format": {artifact.Format}}
	if artifact.ExpireIn != "" {
		q.Set("expire_in", artifact.ExpireIn)
	}
	a, _, err := c.call(ctx, http.MethodPost, fmt.Sprintf("/jobs/%d/artifacts?%s", job.ID, q.Encode()), http.Header{
		"Content-Type": {form.FormDataContentType()}, "Job-Token": {job.Token},
	}, pr)
	pr.Close()
	if err == nil && a.Code != http.StatusCreated {
		err = fmt.Errorf("the coordinator answers %d: %s", a.Code, strings.TrimSpace(string(a.Body[:min(len(a.Body), 200)])))
	}
	return err
}

// Download fetches the archive of an earlier job. The reader must be closed.
func (c *Client) Download(ctx context.Context, dep runnerproto.Dependency) (io.ReadCloser, error) {
	res, err := c.do(ctx, http.MethodGet, fmt.Sprintf("/jobs/%d/artifacts", dep.ID), http.Header{"Job-Token": {dep.Token}}, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("the coordinator answers %d", res.StatusCode)
	}
	return res.Body, nil
}
