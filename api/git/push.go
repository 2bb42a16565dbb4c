package git

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// commands is the beginning of a push: what it changes, before its objects.
type commands struct {
	raw          bytes.Buffer // as read, to be given to git
	changes      []ci.RefChange
	capabilities []string
	options      []string
}

const (
	maxCommands = 10_000
	maxOptions  = 100
	maxRaw      = 8 << 20 // bytes of all of them
)

// readCommands reads the lines in front of the pack.
func readCommands(r *bufio.Reader) (*commands, error) {
	c := &commands{}
	for {
		line, end, err := c.packet(r)
		if err != nil {
			return nil, err
		}
		if end {
			break
		}
		if strings.HasPrefix(line, "shallow ") {
			continue
		}
		line, capabilities, _ := strings.Cut(line, "\x00")
		if capabilities != "" {
			c.capabilities = strings.Fields(capabilities)
		}
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		if len(f) != 3 || !gitrepo.ValidSHA(f[0]) || !gitrepo.ValidSHA(f[1]) || len(c.changes) >= maxCommands {
			return nil, fault.New(fault.Invalid, "the push cannot be read")
		}
		c.changes = append(c.changes, ci.RefChange{Ref: f[2], Old: f[0], New: f[1]})
	}
	if len(c.changes) == 0 || !c.can("push-options") {
		return c, nil
	}
	for len(c.options) < maxOptions {
		line, end, err := c.packet(r)
		if err != nil {
			return nil, err
		}
		if end {
			return c, nil
		}
		c.options = append(c.options, strings.TrimSuffix(line, "\n"))
	}
	return nil, fault.New(fault.Invalid, "too many push options")
}

func (c *commands) can(capability string) bool {
	for _, have := range c.capabilities {
		if have == capability {
			return true
		}
	}
	return false
}

// packet reads one line of git's protocol; end is its flush packet.
func (c *commands) packet(r *bufio.Reader) (line string, end bool, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", false, fault.Wrap(fault.Invalid, err, "the push was cut off")
	}
	c.raw.Write(head)
	n, err := strconv.ParseUint(string(head), 16, 16)
	if err != nil || n == 1 || n == 2 || n == 3 || c.raw.Len() > maxRaw {
		return "", false, fault.New(fault.Invalid, "the push cannot be read")
	}
	if n == 0 {
		return "", true, nil
	}
	body := make([]byte, n-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", false, fault.Wrap(fault.Invalid, err, "the push was cut off")
	}
	c.raw.Write(body)
	return string(body), false, nil
}

// push takes a push. Whether it may is asked before its pack comes, so that the client need not wait, and after it: again
// finds caller and project anew.
func (h *Handler) push(w http.ResponseWriter, r *http.Request, a access.Actor, p *models.Project, body io.Reader, again func() (access.Actor, *models.Project, error)) error {
	in := bufio.NewReaderSize(body, 64<<10)
	c, err := readCommands(in)
	if err != nil {
		return err
	}
	ctx := r.Context()
	_, err = h.ci.CheckPush(ctx, a, p, c.changes)
	if fault.KindOf(err) == fault.Forbidden {
		io.Copy(io.Discard, in) // git reads the answer only after it has sent everything
		return c.refuse(w, fault.Message(err))
	}
	if err != nil {
		return err
	}
	var limit int64 // none but the disk
	if r.Header.Get("Content-Encoding") == "gzip" {
		limit = maxWants // git packs small bodies alone
	}
	pack, err := gather(h.repo(r, p, a), gitrepo.ReceivePack, in, limit)
	if err != nil {
		return err
	}
	defer pack.Close()
	if a, p, err = again(); err != nil {
		return err
	}
	settings, err := h.ci.CheckPush(ctx, a, p, c.changes)
	if fault.KindOf(err) == fault.Forbidden {
		return c.refuse(w, fault.Message(err))
	}
	if err != nil {
		return err
	}
	done, err := h.ci.BeginPush(ctx, a, p, c.changes, ci.ParsePushOptions(c.options))
	if err != nil {
		return err
	}
	err = h.repo(r, p, a).Serve(ctx, gitrepo.ReceivePack, r.Header.Get("Git-Protocol"), io.MultiReader(&c.raw, pack), w, settings...)
	// Whether each ref moved is looked at when its pipeline is made; a client that went away may have been served.
	done(!errors.Is(err, gitrepo.ErrBusy))
	return committed(err)
}

// refuse reports every ref of a push as refused, in git's own form, so that the client shows the reason.
func (c *commands) refuse(w io.Writer, reason string) error {
	if !c.can("report-status") && !c.can("report-status-v2") {
		return fault.New(fault.Forbidden, "%s", reason)
	}
	reason = strings.ReplaceAll(reason, "\n", " ")
	report := gitrepo.Packet("unpack ok\n")
	for _, ch := range c.changes {
		report += gitrepo.Packet(fmt.Sprintf("ng %s %s\n", ch.Ref, reason))
	}
	report += "0000"
	if !c.can("side-band-64k") {
		_, err := io.WriteString(w, report)
		return err
	}
	const most = 60_000
	var out strings.Builder
	out.WriteString(gitrepo.Packet("\x02signalbox: " + reason + "\n"))
	for len(report) > 0 {
		n := min(most, len(report))
		out.WriteString(gitrepo.Packet("\x01" + report[:n]))
		report = report[n:]
	}
	out.WriteString("0000")
	_, err := io.WriteString(w, out.String())
	return err
}
