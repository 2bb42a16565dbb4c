package ci

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
)

// maxDotenvText bounds what a packed dotenv report may unfold to, in bytes.
const maxDotenvText = 1 << 20

// dotenv reads the report whose variables a job hands on. Runners pack each of its files for itself, one after another.
func (c *Coordinator) dotenv(jobID int64, format string, body io.Reader) (raw []byte, row *models.Dotenv, err error) {
	if raw, err = io.ReadAll(io.LimitReader(body, variable.MaxDotenvSize)); err != nil {
		return nil, nil, err
	}
	tooBig := fault.New(fault.Invalid, "Dotenv Artifact Too Big. Maximum Allowable Size: %d", variable.MaxDotenvSize)
	if len(raw) == variable.MaxDotenvSize {
		return nil, nil, tooBig
	}
	files := [][]byte{raw}
	if format == "gzip" {
		files, err = unpack(raw, maxDotenvText)
	}
	if errors.Is(err, errTooLong) {
		return nil, nil, tooBig
	}
	if err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, err, "the dotenv report is no gzip file")
	}
	vars, err := variable.ParseDotenv(files...)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, err, "%s", err.Error())
	}
	text, err := json.Marshal(vars)
	if err != nil {
		return nil, nil, err
	}
	row = &models.Dotenv{JobID: jobID}
	row.Variables = c.keys.Seal(row.Place(), string(text))
	return raw, row, nil
}

var errTooLong = errors.New("too long")

// unpack gives the files of a stream of gzip files, of no more than limit bytes in all.
func unpack(raw []byte, limit int) ([][]byte, error) {
	in := bufio.NewReader(bytes.NewReader(raw))
	z, err := gzip.NewReader(in)
	var files [][]byte
	for ; err == nil; err = z.Reset(in) {
		z.Multistream(false)
		file, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
		if err != nil {
			return nil, err
		}
		if limit -= len(file); limit < 0 {
			return nil, errTooLong
		}
		files = append(files, file)
	}
	if errors.Is(err, io.EOF) && len(files) > 0 {
		return files, nil
	}
	return nil, err
}

// handedOn are the variables of the dotenv reports of the jobs whose artifacts a job fetches, later jobs' last.
func (c *Coordinator) handedOn(tx *models.Tx, from []Dependency) (variable.Collection, error) {
	if len(from) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(from))
	for i, d := range from {
		ids[i] = d.ID
	}
	rows, err := tx.Dotenvs(ids...)
	if err != nil {
		return nil, err
	}
	byJob := map[int64]*models.Dotenv{}
	for _, r := range rows {
		byJob[r.JobID] = r
	}
	var out variable.Collection
	for _, id := range ids {
		r := byJob[id]
		if r == nil {
			continue
		}
		text, err := c.keys.Open(r.Place(), r.Variables)
		if err != nil {
			return nil, fmt.Errorf("variables handed on by job %d: %w", id, err)
		}
		var vars variable.Collection
		if err := json.Unmarshal([]byte(text), &vars); err != nil {
			return nil, &brokenJob{fmt.Errorf("variables handed on by job %d: %w", id, err)}
		}
		out = append(out, vars...)
	}
	return out, nil
}
