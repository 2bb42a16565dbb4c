package httpapi

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// Page reads page and per_page.
func Page(c *gin.Context) (number, size int, err error) {
	number, size = 1, 20
	if s := c.Query("page"); s != "" {
		if number, err = strconv.Atoi(s); err != nil {
			return 0, 0, &ParamError{"page is invalid"}
		}
		number = max(1, number)
	}
	if s := c.Query("per_page"); s != "" {
		if size, err = strconv.Atoi(s); err != nil {
			return 0, 0, &ParamError{"per_page is invalid"}
		}
		if size < 1 {
			return 0, 0, &ParamError{"per_page has a value not allowed"}
		}
	}
	return number, min(size, 100), nil
}

// WritePageHeaders tells where in a list an answer stands. base is the address that clients use.
func WritePageHeaders(c *gin.Context, base string, number, size int, total int64) {
	pages := max(1, int((total+int64(size)-1)/int64(size)))
	next, prev := "", ""
	if number < pages {
		next = strconv.Itoa(number + 1)
	}
	if number > 1 {
		prev = strconv.Itoa(number - 1)
	}
	for name, value := range map[string]string{
		"X-Per-Page": strconv.Itoa(size), "X-Page": strconv.Itoa(number), "X-Next-Page": next, "X-Prev-Page": prev,
		"X-Total": strconv.FormatInt(total, 10), "X-Total-Pages": strconv.Itoa(pages),
	} {
		c.Header(name, value)
	}
	link := func(page, rel string) string {
		q := c.Request.URL.Query()
		q.Set("page", page)
		q.Set("per_page", strconv.Itoa(size))
		q.Del("private_token")
		q.Del("access_token")
		return "<" + base + (&url.URL{Path: c.Request.URL.Path, RawPath: c.Request.URL.RawPath}).EscapedPath() + "?" + q.Encode() + `>; rel="` + rel + `"`
	}
	var links []string
	if prev != "" {
		links = append(links, link(prev, "prev"))
	}
	if next != "" {
		links = append(links, link(next, "next"))
	}
	links = append(links, link("1", "first"), link(strconv.Itoa(pages), "last"))
	c.Header("Link", strings.Join(links, ", "))
}
