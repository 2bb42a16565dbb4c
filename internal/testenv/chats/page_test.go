package chats

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	s := NewSlack(t)
	s.mu.Lock()
	s.show(&Message{
		ID: "1", Channel: "C1", Text: "*bold* <https://x.example.com|a &lt;link&gt;> `code` :wave:\n```\nblock\n```", To: "U1",
		Cards: []Card{{Text: "card", Fields: []Field{{Value: "*A*\nB"}}, Buttons: []Button{{Label: "Go", Style: "primary"}}}},
		Files: []File{{ID: "F1", Name: "a.png", Type: "image/png", Content: []byte("x")}},
	})
	s.mu.Unlock()
	res, err := http.Get(s.Page("C1", "U1"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	for _, want := range []string{"<b>bold</b>", `<a href="https://x.example.com">a &lt;link&gt;</a>`, "<code>code</code>", "👋", "<pre>block</pre>", "Only visible to U1", `src="/file/F1"`, "Go</button>"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the page lacks %s: %s", want, raw)
		}
	}
	if wrong := s.Wrong(); len(wrong) != 0 {
		t.Error(wrong)
	}
}
