package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
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
		if _, err := io.WriteString(w, Packet("# service="+string(service)+"\n")+"0000"); err != nil {
			return err
		}
	}
	return r.serve(ctx, service, protocol, nil, w, "--http-backend-info-refs")
}

// Serve answers a fetch or a push: body in, answer out. config adds settings to this one run, such as
// receive.denyNonFastForwards=true.
func (r *Repo) Serve(ctx context.Context, service Service, protocol string, body io.Reader, w io.Writer, config ...string) error {
	return r.serve(ctx, service, protocol, body, w, "", config...)
}

func (r *Repo) serve(ctx context.Context, service Service, protocol string, body io.Reader, w io.Writer, mode string, config ...string) error {
	select {
	case r.store.slots <- struct{}{}:
		defer func() { <-r.store.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var args []string
	for _, c := range config {
		args = append(args, "-c", c)
	}
	args = append(args, strings.TrimPrefix(string(service), "git-"), "--stateless-rpc")
	if mode != "" {
		args = append(args, mode)
	}
	cmd := r.store.git(ctx, append(args, r.dir)...)
	if protocolHeader.MatchString(protocol) {
		cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], "GIT_PROTOCOL="+protocol)
	}
	errs := &head{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = body, w, errs
	if err := cmd.Run(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%s: %w: %s", service, err, strings.TrimSpace(string(errs.b))))
	}
	return nil
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
