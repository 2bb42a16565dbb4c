package app

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// stall opens a git request whose body never ends, from an address of its own if from is not "".
func (w *world) stall(path, from, header, body string) net.Conn {
	w.t.Helper()
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("tcp", strings.TrimPrefix(w.node.Local, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n%s\r\n", path, header)
	if body != "" {
		fmt.Fprintf(c, "%x\r\n%s\r\n", len(body), body)
	}
	return c
}

// TestGitGoesOnForOthers: neither many requests of one address, nor those of many addresses, nor pushes that stall inside
// their pack keep anybody else from fetching and pushing.
func TestGitGoesOnForOthers(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.must(200, "PUT", "/projects/"+w.project, map[string]any{"visibility": "public"}, nil)
	w.push("app", map[string]string{"a.txt": "one"})
	id, token := w.user("mallory")
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("mallory:"+token)) + "\r\n"
	var mine []net.Conn
	for range 200 {
		mine = append(mine, w.stall("/root/app.git/git-upload-pack", "127.0.3.1", "", "0"))
	}
	for i := range 50 {
		for range 4 {
			w.stall("/root/app.git/git-upload-pack", fmt.Sprintf("127.0.1.%d", i+1), "", "0")
		}
	}
	line := "0000000000000000000000000000000000000000 1111111111111111111111111111111111111111 refs/heads/main\x00 report-status side-band-64k"
	push := gitrepo.Packet(line) + "0000PACK"
	for range 64 {
		w.stall("/root/app.git/git-receive-pack", "127.0.2.1", basic, push)
	}
	// Of one address only some wait; the others are told so.
	refused := 0
	for _, c := range mine {
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			io.Copy(io.Discard, res.Body)
			if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
				t.Errorf("beyond what one address may have: %s", res.Status)
			}
			refused++
		}
		if refused > 100 {
			break
		}
	}
	if refused < 100 {
		t.Errorf("%d of 200 requests of one address are refused", refused)
	}
	w.push("app", map[string]string{"a.txt": "two"})
}

// TestANodeStopsWhateverClientsDo: within ten seconds and without an error, although bodies drip and answers are not read.
func TestANodeStopsWhateverClientsDo(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.must(200, "PUT", "/projects/"+w.project, map[string]any{"visibility": "public"}, nil)
	w.push("app", map[string]string{"a.txt": strings.Repeat("text\n", 1<<20)})
	w.stall("/api/v4/projects/"+w.project+"/repository/commits", "", "Content-Type: application/json\r\nPrivate-Token: "+rootToken+"\r\n", `{"branch":`)
	w.stall("/users/sign_in", "", "Content-Type: application/x-www-form-urlencoded\r\n", "login=")
	w.stall("/root/app.git/git-upload-pack", "", "", "0")
	c, err := net.Dial("tcp", strings.TrimPrefix(w.node.Local, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 20 {
		fmt.Fprintf(c, "GET /root/app/-/raw/main/a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
		fmt.Fprintf(c, "GET /api/v4/projects/%s/repository/files/a.txt/raw?ref=main HTTP/1.1\r\nHost: x\r\n\r\n", w.project)
	}
	began := time.Now()
	err, w.node = w.node.Close(), nil
	if took := time.Since(began); err != nil || took > 10*time.Second {
		t.Errorf("it took %s: %v", took, err)
	}
}
