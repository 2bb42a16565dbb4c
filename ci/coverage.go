package ci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strconv"

	"signalbox/ci/expression"
	"signalbox/ci/plan"
	"signalbox/models"
)

const (
	coverageBlock = 64 << 10
	// maxCoverageLine is how much of one line is looked at, from its end.
	maxCoverageLine = 1 << 20
)

// coverage finds what the log of a finished job says of its coverage, by the job's own pattern: the first number in the
// last match of the last line that has one (facts: pipeline-semantics 8.7). A job without pattern costs one read of its
// definition, one with a pattern at most the whole log.
func (c *Coordinator) coverage(ctx context.Context, j *models.Job) (*float64, error) {
	var def *plan.Definition
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		def, err = c.definition(tx, j)
		return err
	})
	var broken *brokenJob
	if errors.As(err, &broken) || err == nil && def.Coverage == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	re, err := expression.Compile(def.Coverage)
	if err != nil {
		return nil, nil
	}
	log, err := c.traces.Open(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return lastCoverage(log, log.Size(), re)
}

// lastCoverage reads a log from its end, line by line.
func lastCoverage(log io.ReaderAt, size int64, re *regexp.Regexp) (*float64, error) {
	stamped, err := hasTimestamps(log, size)
	if err != nil {
		return nil, err
	}
	var rest []byte // the beginning of a line, whose end stands behind it
	for end := size; end > 0; {
		from := max(0, end-coverageBlock)
		block := make([]byte, end-from, int(end-from)+len(rest))
		if _, err := log.ReadAt(block, from); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		block, end = append(block, rest...), from
		for {
			i := bytes.LastIndexByte(block, '\n')
			if i < 0 {
				break
			}
			if v := coverageIn(block[i+1:], stamped, re); v != nil {
				return v, nil
			}
			block = block[:i]
		}
		rest = append([]byte{}, block[max(0, len(block)-maxCoverageLine):]...)
	}
	return coverageIn(rest, stamped, re), nil
}

var (
	number = regexp.MustCompile(`\d+(?:\.\d+)?`)
	// stamp is what a runner writes before each line if it is to write times (facts: pipeline-semantics 8.5).
	stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][ +]`)
)

const stampLength = 32

func hasTimestamps(log io.ReaderAt, size int64) (bool, error) {
	head := make([]byte, min(size, stampLength))
	if _, err := log.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return stamp.Match(head), nil
}

// coverageIn looks at one line without its end, which may be CR LF: $ of a pattern means the end of what is written.
func coverageIn(line []byte, stamped bool, re *regexp.Regexp) *float64 {
	line = bytes.TrimSuffix(line, []byte("\r"))
	if stamped && stamp.Match(line) {
		line = line[stampLength:]
	}
	all := re.FindAllSubmatch(line, -1)
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	v, err := strconv.ParseFloat(string(number.Find(last[len(last)-1])), 64)
	if err != nil {
		return nil
	}
	return &v
}
