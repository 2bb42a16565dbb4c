package app

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// smallDisk mounts a file system of a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		testenv.Missing(t, "the right to mount a small file system (root)")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskRefusesWorkAndRecovers(t *testing.T) {
	disk := smallDisk(t)
	w := start(t, models.Options{}, func(s *Settings) { s.Data = filepath.Join(disk, "data") })
	token := w.ready(t)
	w.newJob()
	job := w.take(token, "v19.4-02")
	patch := readCapture(t, "v19.4-06-trace-patch-first")
	if res, body := w.replay(patch, token, job.Token, job.ID); res.StatusCode != 202 {
		t.Fatalf("before: %d %s", res.StatusCode, body)
	}
	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte("x"), 4096))
	}
	f.Close()
	more := readCapture(t, "v19.4-07-trace-patch-last")
	more.header.Set("Content-Range", itoa(int64(len(patch.body)))+"-99999")
	more.body = string(bytes.Repeat([]byte("log line\n"), 2000))
	if res, body := w.replay(more, token, job.Token, job.ID); res.StatusCode != 503 || !bytes.Contains([]byte(body), []byte("disk is full")) {
		t.Errorf("a log on a full disk: %d %s", res.StatusCode, body)
	}
	if status := w.api("POST", "/projects", map[string]any{"path": "other"}, nil); status != 503 {
		t.Errorf("a project on a full disk: %d", status)
	}
	var answer struct{ Message string }
	commit := map[string]any{"branch": "main", "commit_message": "x", "actions": []any{map[string]any{"action": "create", "file_path": "big", "content": strings.Repeat("text", 1<<16)}}}
	if status := w.api("POST", "/projects/"+w.project+"/repository/commits", commit, &answer); status != 503 || !strings.Contains(answer.Message, "no space left") {
		t.Errorf("a commit on a full disk: %d %s", status, answer.Message)
	}
	if out, err := w.tryPush("app", rootToken, "other", map[string]string{"big": strings.Repeat("text", 1<<16)}); err == nil {
		t.Errorf("a push on a full disk is taken: %s", out)
	}
	res, err := http.Get(w.node.Local + "/-/readiness")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 503 || !strings.Contains(string(text), "no space left") {
		t.Errorf("readiness on a full disk: %d %s %v", res.StatusCode, text, err)
	}
	if status := w.api("GET", "/projects/"+w.project, nil, nil); status != 200 {
		t.Errorf("reading on a full disk: %d", status)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if res, body := w.replay(more, token, job.Token, job.ID); res.StatusCode != 202 {
		t.Errorf("after: %d %s", res.StatusCode, body)
	}
	if log := w.trace(job.ID); log != patch.body+more.body {
		t.Errorf("the log has %d bytes, want %d", len(log), len(patch.body)+len(more.body))
	}
	if status := w.api("POST", "/projects", map[string]any{"path": "other"}, nil); status != 201 {
		t.Errorf("a project after: %d", status)
	}
}
