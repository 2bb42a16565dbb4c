package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/trace"
	"signalbox/internal/secret"
	"signalbox/models"
)

const (
	beat     = 15 * time.Second // a comment, so that nothing between takes the stream for dead
	lookEach = 5 * time.Second  // a lost event costs at most this, and so do rights that somebody lost
	maxBatch = 256 << 10        // bytes of a log in one event
)

// stream is an answer of server-sent events.
type stream struct {
	r   *request
	out *http.ResponseController
}

// errMayFollow is what follow answers to a request that only asks whether it may.
var errMayFollow = errors.New("the stream may be followed")

// follow runs look at once, whenever one of the topics is announced, and now and then; look says when there
// is nothing more to come. It is refused when too many are followed already, and ends as soon as its reader may not open the stream any more.
func (s *Server) follow(r *request, topics []string, look func(st *stream) (done bool, err error)) error {
	if r.asking {
		return errMayFollow
	}
	give, err := s.streams.enter(r, s.trusted)
	if err != nil {
		return err
	}
	defer give()
	wake, stop := s.ci.Hub().Subscribe(topics...)
	defer stop()
	rights, stopRights := s.ci.Hub().Subscribe(s.restsOn(r)...)
	defer stopRights()
	h := r.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	st := &stream{r: r, out: http.NewResponseController(r.w)}
	st.out.SetWriteDeadline(time.Time{}) // a stream has no end of its own
	if err := st.comment(); err != nil {
		return nil
	}
	each, alive := time.NewTicker(lookEach), time.NewTicker(beat)
	defer each.Stop()
	defer alive.Stop()
	for {
		done, err := look(st)
		if err != nil || done {
			if done {
				st.send("done", "", "{}")
			}
			return nil // whoever listens comes back if it was an error
		}
		ask := false
		select {
		case <-r.Context().Done():
			return nil
		case <-s.stopping:
			return nil
		case <-wake:
		case <-rights:
			ask = true
		case <-each.C:
			ask = true
		case <-alive.C:
			if st.comment() != nil {
				return nil
			}
		}
		if ask && !s.stillMay(r) {
			return nil
		}
	}
}

// restsOn names what tells that the rights of a stream's reader may have changed.
func (s *Server) restsOn(r *request) []string {
	var out []string
	topic := func(c models.AuthorityChange) { out = append(out, ci.TopicAuthority(c)) }
	if r.actor.User != nil {
		topic(models.AuthorityChange{Kind: models.UserAuthority, ID: r.actor.ID()})
	}
	if token := s.sessions.Token(r.Context()); token != "" {
		topic(models.AuthorityChange{Kind: models.SessionAuthority, Hash: secret.Hash(token)})
	}
	if r.project != nil {
		topic(models.AuthorityChange{Kind: models.ProjectAuthority, ID: r.project.ID})
	}
	return out
}

// stillMay says whether the reader of a stream would be let in now: it asks what opening the stream asks, for the session
// as it is stored now.
func (s *Server) stillMay(r *request) bool {
	before, _ := r.Context().Value(beforeSession{}).(context.Context)
	ctx, err := s.sessions.Load(before, s.sessions.Token(r.Context()))
	if err != nil {
		return false // whoever listens comes back
	}
	again := &request{Request: r.Request.WithContext(ctx), w: nobody{http.Header{}}, asking: true}
	if err := s.identify(again); err != nil || again.actor.ID() != r.actor.ID() {
		return false
	}
	return errors.Is(s.find(again)(again), errMayFollow)
}

// beforeSession is the key of a request's context as it was before its session was read.
type beforeSession struct{}

// keepingContext lets a long answer read its session again.
func keepingContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), beforeSession{}, r.Context())))
	})
}

// nobody reads what is answered to it.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) WriteHeader(int)             {}

func (st *stream) comment() error {
	if _, err := io.WriteString(st.r.w, ": \n\n"); err != nil {
		return err
	}
	return st.out.Flush()
}

func (st *stream) send(event, id, data string) error {
	if id != "" {
		id = "id: " + id + "\n"
	}
	if _, err := fmt.Fprintf(st.r.w, "event: %s\n%sdata: %s\n\n", event, id, data); err != nil {
		return err
	}
	return st.out.Flush()
}

// liveAt is the address of a stream for a page that shows a version. If there is another one when the stream
// begins, the page is told at once.
func liveAt(path, version string) string { return path + "?v=" + url.QueryEscape(version) }

// changes tells a page to look again when what it shows has another version.
func changes(r *request, version func() (string, bool, error)) func(*stream) (bool, error) {
	last := r.URL.Query().Get("v")
	return func(st *stream) (bool, error) {
		v, done, err := version()
		if err != nil {
			return false, err
		}
		if last != "" && v != last {
			if err := st.send("change", "", "{}"); err != nil {
				return false, err
			}
		}
		last = v
		return done, nil
	}
}

// digest makes a short version of what a page shows.
func digest(parts ...any) string {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return strconv.FormatUint(h.Sum64(), 36)
}

func pipelineVersion(tx *models.Tx, id int64) (version string, done bool, err error) {
	p, err := tx.Pipeline(id)
	if err != nil {
		return "", false, err
	}
	counts, err := tx.StatusCounts([]int64{id})
	return digest(p.Status, p.UpdatedAt.UnixMicro(), counts), p.Status.Completed(), err
}

// livePipeline follows a pipeline and its jobs.
func (s *Server) livePipeline(r *request, c *inside) error {
	pl, err := s.pipelineOf(r, c)
	if err != nil {
		return err
	}
	return s.follow(r, []string{ci.TopicPipeline(pl.ID)}, changes(r, func() (v string, done bool, err error) {
		err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
			v, done, err = pipelineVersion(tx, pl.ID)
			return err
		})
		return v, done, err
	}))
}

// pipelinesVersion is the version of the first page of a project's pipelines, which shows of each its status and what its jobs
// count: a job may fail while the status of its pipeline stays as it is.
func pipelinesVersion(tx *models.Tx, projectID int64) (string, error) {
	rows, _, err := tx.ListPipelines(projectID, models.PipelineFilter{}, models.Page{PerPage: listed, Descending: true, Uncounted: true})
	if err != nil {
		return "", err
	}
	v := ""
	ids := make([]int64, len(rows))
	for i, p := range rows {
		ids[i] = p.ID
		v += fmt.Sprint(p.ID, p.Status, p.UpdatedAt.UnixMicro())
	}
	counts, err := tx.StatusCounts(ids)
	return digest(v, counts), err
}

// liveProject follows the newest pipelines of a project.
func (s *Server) liveProject(r *request, c *inside) error {
	if !access.Allowed(r.actor, access.ReadPipelines, c.subject) {
		return notFound(r)
	}
	return s.follow(r, []string{ci.TopicProject(c.project.ID)}, changes(r, func() (v string, done bool, err error) {
		err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
			v, err = pipelinesVersion(tx, c.project.ID)
			return err
		})
		return v, false, err
	}))
}

// liveJob sends a job's log as it grows, from the byte that the page has, and says when the job changes.
func (s *Server) liveJob(r *request, c *inside) error {
	j, pl, err := s.jobOf(r, c)
	if err != nil {
		return err
	}
	offset, _ := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	line, _ := strconv.Atoi(r.URL.Query().Get("line"))
	if id := r.Header.Get("Last-Event-ID"); id != "" { // the browser goes on where it was cut off
		fmt.Sscanf(id, "%d-%d", &offset, &line)
	}
	if err := s.ci.MayReadLog(r.Context(), r.actor, c.subject, j); err != nil {
		return err
	}
	tail := &tail{open: func(ctx context.Context, j *models.Job) (trace.Reader, error) {
		return s.ci.ReadLog(ctx, r.actor, c.subject, j)
	}, offset: max(0, offset), reader: newLogReader(max(0, line), false)}
	status := string(j.Status)
	if v := r.URL.Query().Get("v"); v != "" {
		status = v
	}
	elsewhere := r.URL.Query().Get("offset") == "" // the page shows another part of the log
	return s.follow(r, []string{ci.TopicTrace(j.ID), ci.TopicPipeline(pl.ID)}, func(st *stream) (bool, error) {
		var now *models.Job
		err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
			now, err = tx.Job(j.ID)
			return err
		})
		if err != nil {
			return false, err
		}
		over := now.Status.Completed()
		if !elsewhere {
			if err := tail.send(st, now, over); err != nil {
				return false, err
			}
		}
		if string(now.Status) != status {
			status = string(now.Status)
			if err := st.send("change", "", "{}"); err != nil {
				return false, err
			}
		}
		return over, nil
	})
}

// tail is what a page does not have yet of a log.
type tail struct {
	open   func(context.Context, *models.Job) (trace.Reader, error) // for whoever follows
	offset int64
	reader *logReader
	primed bool // the reader knows the line before
	inLong bool // the rest of a line that was too long for one batch is left out
}

// send gives whole lines; at the end of the log the last one too, although it has no newline.
func (t *tail) send(st *stream, j *models.Job, over bool) error {
	log, err := t.open(st.r.Context(), j)
	if err != nil {
		return err
	}
	defer log.Close()
	if !t.primed || t.offset == 0 {
		if err := t.prime(log); err != nil {
			return err
		}
	}
	for t.offset < log.Size() {
		events, taken, err := t.batch(log, over)
		if err != nil || taken == 0 {
			return err
		}
		t.offset += taken
		data, err := json.Marshal(events)
		if err != nil {
			return err
		}
		if err := st.send("log", fmt.Sprintf("%d-%d", t.offset, t.reader.line), string(data)); err != nil {
			return err
		}
	}
	return nil
}

// batch reads at most maxBatch bytes. A last line that is not whole is left for the next time.
func (t *tail) batch(log io.ReaderAt, over bool) (events []logEvent, taken int64, err error) {
	size := int64(maxBatch)
	if sized, ok := log.(interface{ Size() int64 }); ok {
		size = min(size, sized.Size()-t.offset)
		over = over && t.offset+size == sized.Size()
	}
	lines := newLineReader(io.NewSectionReader(log, t.offset, size))
	for {
		raw, whole, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		long := !whole && taken == 0 && size == maxBatch
		if !whole && !over && !long {
			break
		}
		taken = lines.read
		if t.inLong {
			t.inLong = !whole
			continue
		}
		t.inLong = long && !over
		events = append(events, t.reader.read(raw)...)
	}
	return append(events, t.reader.flush()...), taken, nil
}

// prime lets the reader know the line before, which the next ones may go on with.
func (t *tail) prime(log trace.Reader) error {
	t.primed, t.reader.timed = true, isTimed(log)
	if !t.reader.timed || t.offset == 0 {
		return nil
	}
	back := make([]byte, min(t.offset, maxLine))
	if _, err := log.ReadAt(back, t.offset-int64(len(back))); err != nil && err != io.EOF {
		return err
	}
	lines := bytes.Split(bytes.TrimSuffix(back, []byte("\n")), []byte("\n"))
	from := len(lines) - 1
	for from > 0 && len(lines[from]) >= stampSize && lines[from][stampSize-1] == '+' {
		from--
	}
	t.reader.line -= len(lines) - from
	for _, line := range lines[from:] {
		t.reader.read(line)
	}
	t.reader.flush() // the page has it
	return nil
}
