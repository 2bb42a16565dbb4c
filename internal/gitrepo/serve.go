package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"signalbox/internal/fault"
	"signalbox/internal/spool"
)

// Service is what a git client asks for.
type Service string

// The two services of git over HTTP.
const (
	UploadPack  Service = "git-upload-pack"  // fetch
	ReceivePack Service = "git-receive-pack" // push
)

var protocolHeader = regexp.MustCompile(`^version=[0-2]$`)

// Advertise writes the refs and capabilities that a client asks for first. protocol is the client's
// Git-Protocol header.
func (r *Repo) Advertise(ctx context.Context, service Service, protocol string, w io.Writer) error {
	if !protocolHeader.MatchString(protocol) || service == ReceivePack {
		w = &headed{w, Packet("# service="+string(service)+"\n") + "0000"}
	}
	return r.serve(ctx, service, protocol, nil, w, "--http-backend-info-refs")
}

// Serve answers a fetch or a push: body in, answer out. The body must be there already (Gather): a client that sends it slowly
// would keep the place of others. ErrBusy is refused before anything is written. config adds settings to this one run, such as
// receive.denyNonFastForwards=true.
func (r *Repo) Serve(ctx context.Context, service Service, protocol string, body io.Reader, w io.Writer, config ...string) error {
	return r.serve(ctx, service, protocol, body, w, "", config...)
}

func (r *Repo) serve(ctx context.Context, service Service, protocol string, body io.Reader, w io.Writer, mode string, config ...string) error {
	var args []string
	for _, c := range config {
		args = append(args, "-c", c)
	}
	args = append(args, strings.TrimPrefix(string(service), "git-"), "--stateless-rpc")
	if mode != "" {
		args = append(args, mode)
	}
	ctx, cancel := context.WithTimeout(ctx, serveWithin)
	defer cancel()
	cmd := r.store.git(ctx, append(args, r.dir)...)
	if protocolHeader.MatchString(protocol) {
		cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], "GIT_PROTOCOL="+protocol)
	}
	cmd.Stdin = body
	return r.answer(ctx, cmd, w)
}

const (
	// serveWithin is how long one fetch or push may take.
	serveWithin = time.Hour
	// placeWithin is how long it waits for its turn, unless WaitFor says otherwise.
	placeWithin = time.Minute
	// ahead is how much of an answer git may make before its client takes it, if there is room. Git gives its place back as soon
	// as it has made the answer.
	ahead = 512 << 20
)

// ErrBusy says that too much git runs already; nothing was begun.
var ErrBusy = fault.New(fault.Unavailable, "Too many fetches and pushes are under way. Please try again in a minute.")

// ErrNoRoom says that what a client sends, or is sent, has no room to wait in; nothing was begun.
var ErrNoRoom = fault.New(fault.Unavailable, "The server has no room for this now: too many fetches and pushes are under way. Please try again in a minute.")

// answer runs a git process whose output is for a client.
func (r *Repo) answer(ctx context.Context, cmd *exec.Cmd, w io.Writer) error {
	turn, cancel := context.WithTimeoutCause(ctx, cmp.Or(r.turnWithin, placeWithin), ErrBusy)
	defer cancel()
	give, err := r.store.serving.Take(turn, r.dir)
	if err != nil {
		return err
	}
	defer give()
	wanted := func() bool { return r.store.serving.Short(r.dir) }
	out, errs := r.store.fetches.NewOutlet(ctx, r.client, ahead, wanted, w), &head{}
	cmd.Stdout, cmd.Stderr = out, errs
	err = cmd.Run()
	give()
	if taken := out.Close(); taken != nil {
		return errors.Join(ctx.Err(), taken)
	}
	if err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("git %s: %w: %s", cmd.Args[1], err, strings.TrimSpace(string(errs.b))))
	}
	return nil
}

// Gather reads the body of a fetch or a push to its end, before Serve takes a place for it; limit bounds its bytes, 0 does not.
// ErrNoRoom is a body for which there is no room.
func (r *Repo) Gather(service Service, body io.Reader, limit int64) (io.ReadCloser, error) {
	all, err := r.store.disk(service).Gather(r.client, body, limit)
	if errors.Is(err, spool.ErrNoRoom) {
		return nil, ErrNoRoom
	}
	return all, err
}

// Room fails with ErrNoRoom if there is none for what a client will push, or if what it fetches already takes its whole share of
// the disk, so that it hears of it before anything is sent. A fetch that is not asked for here goes on without the disk.
func (r *Repo) Room(service Service) error {
	if service == ReceivePack && !r.store.pushes.Room(r.client) || service == UploadPack && !r.store.fetches.Share(r.client) {
		return ErrNoRoom
	}
	return nil
}

// disk is where bodies wait.
func (s *Store) disk(service Service) *spool.Disk {
	if service == ReceivePack {
		return s.pushes
	}
	return s.fetches
}

// headed writes a text before the first of what is written to it.
type headed struct {
	io.Writer
	text string
}

func (h *headed) Write(p []byte) (int, error) {
	if h.text != "" {
		text := h.text
		h.text = ""
		if _, err := io.WriteString(h.Writer, text); err != nil {
			return 0, err
		}
	}
	return h.Writer.Write(p)
}

// head keeps the beginning of what is written and drops the rest.
type head struct{ b []byte }

func (t *head) Write(p []byte) (int, error) {
	if room := 4096 - len(t.b); room > 0 {
		t.b = append(t.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// Packet frames one line of git's protocol.
func Packet(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }
