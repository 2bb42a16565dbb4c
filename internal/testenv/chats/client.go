package chats

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// patience is how long a chat waits for the answer to a request of its own.
const patience = 3 * time.Second

func (s *Server) request(method, address, contentType, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	return r
}

// send sends a request of the chat's, which people wait for.
func (s *Server) send(r *http.Request, c Command) Receipt {
	s.t.Helper()
	if c.Change != nil {
		c.Change(r)
	}
	began := time.Now()
	client := http.Client{Timeout: 10 * patience}
	res, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if took := time.Since(began); took > patience {
		s.Complain("the answer to %s came after %s", r.URL.Path, took)
	}
	if res.StatusCode == 200 && len(raw) > 0 && !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		s.Complain("the answer to %s is %s", r.URL.Path, res.Header.Get("Content-Type"))
	}
	return Receipt{Status: res.StatusCode, Body: string(raw)}
}

// answered shows the answer to a command, and the command itself if everyone sees that.
func (s *Server) answered(c Command, everyone bool, text string, contents func() (Message, string), out *Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := c.User
	if everyone {
		to = ""
	}
	s.show(&Message{ID: "given" + strconv.Itoa(s.next()), Channel: c.Channel, Thread: c.Thread, To: to, Author: "name-" + c.User, Text: "/ops " + c.Text})
	if text == "" {
		return
	}
	m, problem := contents()
	if problem != "" {
		s.complain("the answer to a command: %s", problem)
	}
	m.ID, m.Channel, m.Thread, m.To, m.Handle = "answer"+strconv.Itoa(s.next()), c.Channel, c.Thread, to, true
	s.show(&m)
	out.Message = m
}

// once gives for the id of a command what make gave first: a repeated delivery is the same in all parts.
func (s *Server) once(id string, make func() string) string {
	if old, ok := s.made[id]; ok {
		return old
	}
	s.made[id] = make()
	return s.made[id]
}
