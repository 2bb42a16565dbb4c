package ci

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"signalbox/ci/config"
	"signalbox/internal/fault"
	"signalbox/models"
)

// maxIncludedArchive is how many bytes an archive may have that a configuration is read from.
const maxIncludedArchive = 5 << 20

// artifact reads a file that a job of the parent pipeline made (facts: ci-yaml 6.7).
func (f *files) artifact(from config.Context, l config.Location) ([]byte, config.Context, error) {
	at := from
	at.Source = "artifact " + l.Job + ":" + l.Name
	none := refuse("Job `%s` not found in parent pipeline or does not have artifacts!", l.Job)
	var job *models.Job
	err := f.c.db.Read(f.ctx, func(tx *models.Tx) (err error) {
		job, err = tx.JobByName(f.b.r.Upstream.ID, l.Job)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, at, none
	}
	if err != nil {
		return nil, at, err
	}
	row, err := f.c.ReadableArchive(f.ctx, f.b.actor, f.b.subject, job)
	if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Forbidden {
		return nil, at, none
	}
	if err != nil {
		return nil, at, err
	}
	if row.Size > maxIncludedArchive {
		return nil, at, refuse("Artifacts archive for job `%s` is too large: %s exceeds maximum of %s", l.Job, humanSize(row.Size), humanSize(maxIncludedArchive))
	}
	entry, closer, err := f.c.ArtifactEntry(f.ctx, row, strings.TrimPrefix(l.Name, "/"))
	if fault.KindOf(err) == fault.NotFound {
		return nil, at, refuse("Path `%s` does not exist inside the `%s` artifacts archive!", l.Name, l.Job)
	}
	if err != nil {
		return nil, at, err
	}
	defer closer.Close()
	r, err := entry.Open()
	if err != nil {
		return nil, at, refuse("Path `%s` cannot be read from the `%s` artifacts archive: %v", l.Name, l.Job, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	switch {
	case err != nil:
		return nil, at, refuse("Path `%s` cannot be read from the `%s` artifacts archive: %v", l.Name, l.Job, err)
	case len(text) > maxConfig:
		return nil, at, refuse("The parsed YAML is too big")
	case len(strings.TrimSpace(string(text))) == 0:
		return nil, at, refuse("File `%s` is empty!", l.Name)
	}
	return text, at, nil
}

// humanSize gives bytes with three significant digits, as GitLab's texts do: 2.28 KiB, 1 KiB.
func humanSize(n int64) string {
	value, units := float64(n), []string{"Bytes", "KiB", "MiB", "GiB"}
	for value >= 1024 && len(units) > 1 {
		value, units = value/1024, units[1:]
	}
	return strconv.FormatFloat(value, 'g', max(3, len(strconv.FormatInt(int64(value), 10))), 64) + " " + units[0]
}
