package httpapi

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/internal/fault"
)

// Page are the parameters that lists share (facts: rest-api 1.6).
type Page struct {
	Number     int    `param:"page"`
	Size       *int   `param:"per_page"`
	Pagination string `param:"pagination"`
	Cursor     string `param:"cursor"`
	PageToken  string `param:"page_token"`
}

// maxPageSize is where per_page is cut, without a word.
const maxPageSize = 100

// PerPage is the number of rows of a page.
func (p Page) PerPage() int {
	if p.Size == nil {
		return 20
	}
	return min(*p.Size, maxPageSize)
}

// Check refuses sizes that GitLab refuses. A page below the first is the first.
func (p *Page) Check() error {
	if p.Size != nil && *p.Size < 1 {
		return &ParamError{"per_page has a value not allowed"}
	}
	p.Number = max(1, p.Number)
	return nil
}

// Keyset says whether the client wants to continue behind a row rather than count pages.
func (p Page) Keyset() bool { return p.Pagination == "keyset" }

// After is the id in the cursor; 0 without one.
func (p Page) After() (int64, error) {
	if p.Cursor == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(p.Cursor, "="))
	text, ok := strings.CutPrefix(string(raw), `{"id":"`)
	n, numberErr := strconv.ParseInt(strings.TrimSuffix(text, `"}`), 10, 64)
	if err != nil || !ok || numberErr != nil || n < 0 {
		return 0, fault.Refused(fault.Invalid, "the cursor is not one of ours")
	}
	return n, nil
}

// CursorOf names the last row of a page for the next one.
func CursorOf(id int64) string {
	return base64.URLEncoding.EncodeToString([]byte(`{"id":"` + strconv.FormatInt(id, 10) + `"}`))
}

// Total is how many rows a list has.
type Total struct {
	Rows int64
	// Unknown lists tell no totals and no last page; More says whether another page follows.
	Unknown bool
	More    bool
}

// WritePageHeaders tells where in a list an answer stands. base is the address that clients use.
func WritePageHeaders(c *gin.Context, base string, p Page, t Total) {
	size := p.PerPage()
	pages := max(1, int((t.Rows+int64(size)-1)/int64(size)))
	next, prev := "", ""
	if t.Unknown && t.More || !t.Unknown && p.Number < pages {
		next = strconv.Itoa(p.Number + 1)
	}
	if p.Number > 1 {
		prev = strconv.Itoa(p.Number - 1)
	}
	h := c.Writer.Header()
	h.Set("X-Per-Page", strconv.Itoa(size))
	h.Set("X-Page", strconv.Itoa(p.Number))
	h.Set("X-Next-Page", next)
	h.Set("X-Prev-Page", prev)
	link := func(page, rel string) string {
		return address(c, base, map[string]string{"page": page, "per_page": strconv.Itoa(size)}, rel)
	}
	var links []string
	if prev != "" {
		links = append(links, link(prev, "prev"))
	}
	if next != "" {
		links = append(links, link(next, "next"))
	}
	links = append(links, link("1", "first"))
	if !t.Unknown {
		h.Set("X-Total", strconv.FormatInt(t.Rows, 10))
		h.Set("X-Total-Pages", strconv.Itoa(pages))
		links = append(links, link(strconv.Itoa(pages), "last"))
	}
	h.Set("Link", strings.Join(links, ", "))
}

// WriteNextHeader names the next page of a list that continues behind a row. Nothing is written at its end.
func WriteNextHeader(c *gin.Context, base string, p Page, param, value string, more bool) {
	c.Header("X-Per-Page", strconv.Itoa(p.PerPage()))
	if !more {
		return
	}
	c.Header("Link", address(c, base, map[string]string{param: value, "per_page": strconv.Itoa(p.PerPage()), "pagination": "keyset"}, "next"))
	if param == "cursor" {
		c.Header("X-NEXT-CURSOR", value)
	}
}

// Secrets are parameters that no link repeats.
var Secrets = []string{"private_token", "access_token", "job_token", "token"}

func address(c *gin.Context, base string, set map[string]string, rel string) string {
	q := c.Request.URL.Query()
	for k, v := range set {
		q.Set(k, v)
	}
	for k := range q {
		if slices.Contains(Secrets, k) {
			q.Del(k)
		}
	}
	path := (&url.URL{Path: c.Request.URL.Path, RawPath: c.Request.URL.RawPath}).EscapedPath()
	return "<" + base + path + "?" + q.Encode() + `>; rel="` + rel + `"`
}
