package ci

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"signalbox/ci/junit"
	"signalbox/internal/blob"
	"signalbox/models"
)

// TestReportsAreRefusedByTheirUnpackedSize, wherever the bytes stand.
func TestReportsAreRefusedByTheirUnpackedSize(t *testing.T) {
	for _, begin := range []string{"", "<testsuite><testcase name='", "<testsuite><testcase name='x'><system-out>"} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		io.WriteString(z, begin)
		blank := bytes.Repeat([]byte(" "), 1<<20)
		for range maxReport>>20 + 1 {
			z.Write(blank)
		}
		z.Close()
		left := &budget{one: maxReport, all: maxRead}
		if _, err := parseMembers(&packed, left); !errors.Is(err, errReport) || left.all != maxRead-maxReport {
			t.Errorf("%q: %v", begin, err)
		}
		if _, err := junit.Parse(&unpacked{bytes.NewReader(blank), &budget{one: 1 << 30, all: 1 << 10}}); !errors.Is(err, errReports) {
			t.Errorf("the budget of a view: %v", err)
		}
	}
}

// TestAReportIsReadOnce: a view of what was read before asks the store for nothing; one that the store or the budget of a view cut
// short is read again.
func TestAReportIsReadOnce(t *testing.T) {
	blobs, err := blob.Open(t.Context(), "file://"+t.TempDir())
	noError(t, err)
	c := &Coordinator{blobs: blobs}
	row := &models.Artifact{ID: 1, BlobKey: "artifacts/0/1/report", Filename: "junit.xml"}
	_, err = blobs.Put(t.Context(), row.BlobKey, strings.NewReader("<testsuite><testcase name='x'/></testsuite>"))
	noError(t, err)
	if _, err := c.testCases(t.Context(), row, &budget{}); !errors.Is(err, errReports) {
		t.Errorf("beyond the budget of a view: %v", err)
	}
	for _, from := range []string{"the store", "what was read"} {
		if cases, err := c.testCases(t.Context(), row, &budget{all: maxRead}); err != nil || len(cases) != 1 {
			t.Errorf("from %s: %d cases, %v", from, len(cases), err)
		}
		noError(t, blobs.Delete(t.Context(), row.BlobKey))
	}
}

func TestKnownReportsAreBounded(t *testing.T) {
	k := &knownReports{}
	output := string(make([]byte, 1<<20))
	for i := range int64(100) {
		k.keep(i, &knownReport{cases: []junit.Case{{Output: &output}}})
		if k.find(0) == nil {
			t.Fatalf("what is asked for all the time is forgotten after %d reports", i)
		}
	}
	if k.size > maxKnownReports || len(k.known) != len(k.order) || len(k.order) < 50 || k.find(1) != nil {
		t.Errorf("%d bytes, %d reports", k.size, len(k.order))
	}
}
