// Package junit reads test reports in JUnit's XML, as a stream: what a report costs is what is kept of it, not its size.
package junit

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// Status is how a test case ended.
type Status string

// The statuses, by GitLab's names.
const (
	Success Status = "success"
	Failed  Status = "failed"
	Skipped Status = "skipped"
	Error   Status = "error"
)

// Case is one test case.
type Case struct {
	Status    Status  `json:"status"`
	Name      string  `json:"name"`
	Classname string  `json:"classname"`
	File      *string `json:"file"`
	Time      float64 `json:"execution_time"` // seconds
	Output    *string `json:"system_output"`
	Trace     *string `json:"stack_trace"`
}

// Limits of what is kept of a report.
const (
	MaxCases  = 20_000
	maxOutput = 4 << 10 // bytes of one case's output
	maxText   = 1 << 10 // bytes of a name
	maxDepth  = 100
	maxKept   = 8 << 20 // bytes of the output of all cases
)

// ErrTooMany says that a report has more than MaxCases cases; the first of them are given with it.
var ErrTooMany = fmt.Errorf("the report has more than %d cases", MaxCases)

// Parse reads a report. An error says what is wrong with it; the cases before the mistake are given with it.
func Parse(in io.Reader) (cases []Case, err error) {
	d := xml.NewDecoder(bufio.NewReaderSize(&trimmer{r: in}, 64<<10))
	d.Strict = true
	d.CharsetReader = func(name string, in io.Reader) (io.Reader, error) {
		e, err := htmlindex.Get(name)
		if err != nil {
			return nil, fmt.Errorf("the character set %q is not known", name)
		}
		return e.NewDecoder().Reader(in), nil
	}
	p := parser{d: d}
	err = p.run()
	return p.cases, err
}

type parser struct {
	d     *xml.Decoder
	cases []Case
	depth int
	kept  int      // bytes of output
	files []string // of the suites around
}

func (p *parser) run() error {
	seen := false
	for {
		token, err := p.d.Token()
		if errors.Is(err, io.EOF) {
			if !seen {
				return errors.New("the report holds no XML")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("the report cannot be read: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			seen = true
			if p.depth++; p.depth > maxDepth {
				return errors.New("the report is nested too deeply")
			}
			if t.Name.Local == "testcase" {
				p.depth--
				if err := p.testcase(t); err != nil {
					return err
				}
				continue
			}
			p.files = append(p.files, attribute(t, "file"))
		case xml.EndElement:
			p.depth--
			if len(p.files) > 0 {
				p.files = p.files[:len(p.files)-1]
			}
		}
	}
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// testcase reads one case with all that it holds.
func (p *parser) testcase(start xml.StartElement) error {
	if len(p.cases) >= MaxCases {
		return ErrTooMany
	}
	c := Case{Status: Success, Name: cut(attribute(start, "name"), maxText), Classname: cut(attribute(start, "classname"), maxText), Time: seconds(attribute(start, "time"))}
	file := attribute(start, "file")
	for i := len(p.files) - 1; i >= 0 && file == ""; i-- {
		file = p.files[i]
	}
	if file != "" {
		file = cut(file, maxText)
		c.File = &file
	}
	var failure, printed strings.Builder
	depth, into := 0, (*strings.Builder)(nil)
	for {
		token, err := p.d.Token()
		if err != nil {
			return fmt.Errorf("the report cannot be read: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return errors.New("the report is nested too deeply")
			}
			if depth > 1 {
				continue
			}
			into = c.note(t, &failure, &printed)
		case xml.CharData:
			if into != nil && into.Len() < maxOutput {
				into.Write(t)
			}
		case xml.EndElement:
			if depth == 0 {
				c.finish(failure.String(), printed.String())
				if c.Output != nil {
					if p.kept += len(*c.Output); p.kept > maxKept {
						*c.Output = cut(*c.Output, maxText/4)
					}
				}
				p.cases = append(p.cases, c)
				return nil
			}
			if depth--; depth == 0 {
				into = nil
			}
		}
	}
}

// note reads what an element inside of a case says, and where its text belongs.
func (c *Case) note(t xml.StartElement, failure, printed *strings.Builder) *strings.Builder {
	switch t.Name.Local {
	case "failure":
		c.Status = Failed
	case "error":
		if c.Status != Failed {
			c.Status = Error
		}
	case "skipped":
		if c.Status == Success {
			c.Status = Skipped
		}
	case "system-out", "system-err":
		return printed
	default:
		return nil
	}
	if message := attribute(t, "message"); message != "" {
		failure.WriteString(cut(message, maxOutput))
		failure.WriteString("\n")
	}
	return failure
}

func (c *Case) finish(failure, printed string) {
	text := strings.TrimSpace(failure)
	if c.Status != Success && c.Status != Skipped {
		if out := strings.TrimSpace(printed); out != "" {
			text = strings.TrimSpace(text + "\n\n" + out)
		}
	}
	if text != "" {
		text = strings.ToValidUTF8(cut(text, maxOutput), "\uFFFD")
		c.Output = &text
	}
}

// seconds reads a time, which some tools write with commas between thousands.
func seconds(text string) float64 {
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil || v < 0 || v > 1e9 {
		return 0
	}
	return v
}
