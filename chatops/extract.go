package chatops

import (
	"bytes"
	"regexp"
	"strings"

	"signalbox/internal/terminal"
)

// Section says which part of a log a reply was taken from.
type Section string

// The sections. Silent is an empty chat_reply: nothing is sent, on purpose.
const (
	ChatReply   Section = "chat_reply"
	StepScript  Section = "step_script"
	BuildScript Section = "build_script"
	Silent      Section = "silent"
	Missing     Section = "missing"
)

var marker = regexp.MustCompile(`section_(start|end):(\d+):([A-Za-z0-9_.-]+)(\[\w+=\w+(?:, ?\w+=\w+)*\])?\r\x1b\[0K`)

// The sections of ours beside GitLab's: for the asker alone, for how far a job is, and blocks as JSON.
const (
	chatPrivate  Section = "chat_reply_private"
	chatProgress Section = "chat_progress"
	chatJSON     Section = "chat_reply_json"
)

// Extracted is what a log says to a chat.
type Extracted struct {
	Section Section
	Text    string
	Private string // for the asker alone
	Rich    []Rich
}

// Extract takes the reply out of a job's log. single says that the job has exactly one command and no
// before_script: its reply is the output alone. Cost: linear in the log.
func Extract(log []byte, single bool) Extracted {
	log = stripTimes(log)
	found := sections(log)
	e := Extracted{Private: joined(found[chatPrivate])}
	var broken []string
	for _, raw := range found[chatJSON] {
		blocks, err := readRich([]byte(afterFirstLine(clean(raw))))
		if err != nil {
			broken = append(broken, "a chat_reply_json section cannot be read: "+err.Error())
		}
		e.Rich = append(e.Rich, blocks...)
	}
	shown := public(log, false)
	e.Section, e.Text = plainReply(shown, sections(shown), single)
	ours := len(found[chatPrivate])+len(found[chatJSON]) > 0
	if ours && len(found[ChatReply]) == 0 {
		e.Section, e.Text = ChatReply, ""
	}
	if len(broken) > 0 {
		e.Section, e.Text = ChatReply, strings.TrimLeft(e.Text+"\n"+strings.Join(broken, "\n"), "\n")
	}
	if e.Section == Silent && (e.Private != "" || len(e.Rich) > 0) {
		e.Section = ChatReply
	}
	if e.Section == ChatReply && e.Text == "" && e.Private == "" && len(e.Rich) == 0 {
		e.Section = Silent
	}
	return e
}

// joined are the texts of sections, those that hold any.
func joined(all [][]byte) string {
	var texts []string
	for _, r := range all {
		if t := afterFirstLine(clean(r)); t != "" {
			texts = append(texts, t)
		}
	}
	return valid(strings.Join(texts, "\n"))
}

// public is a log without what is for the asker alone, be its section complete or not. open says that it is the end of one, and
// begins within such a section.
func public(log []byte, open bool) []byte {
	if !open && !bytes.Contains(log, []byte(chatPrivate)) {
		return log
	}
	var out []byte
	from := 0
	for _, m := range marker.FindAllSubmatchIndex(log, -1) {
		if Section(log[m[6]:m[7]]) != chatPrivate {
			continue
		}
		switch start := string(log[m[2]:m[3]]) == "start"; {
		case start && !open:
			out, open = append(out, log[from:m[0]]...), true
		case !start && open:
			from, open = m[1], false
		}
	}
	if open {
		return out
	}
	return append(out, log[from:]...)
}

// Said is the newest complete chat_progress section of a log without headers, or of the end of one; "" if there is none.
func Said(log []byte) string {
	all := sections(log)[chatProgress]
	if len(all) == 0 {
		return ""
	}
	return joined(all[len(all)-1:])
}

func plainReply(log []byte, found map[Section][][]byte, single bool) (Section, string) {
	if replies := found[ChatReply]; len(replies) > 0 {
		text := joined(replies)
		if text == "" {
			return Silent, ""
		}
		return ChatReply, text
	}
	for _, name := range []Section{StepScript, BuildScript} {
		body := fallback(log, name, found[name])
		if body == nil {
			continue
		}
		text := afterFirstLine(clean(body))
		if single {
			text = afterCommand(clean(body), text)
		}
		return name, valid(text)
	}
	return Missing, ""
}

// sections lists the complete sections of each name, in order.
func sections(log []byte) map[Section][][]byte {
	out := map[Section][][]byte{}
	open := map[string]int{}
	for _, m := range marker.FindAllSubmatchIndex(log, -1) {
		name := string(log[m[6]:m[7]])
		if string(log[m[2]:m[3]]) == "start" {
			if _, already := open[name]; !already {
				open[name] = m[1]
			}
			continue
		}
		if start, ok := open[name]; ok {
			out[Section(name)] = append(out[Section(name)], log[start:m[0]])
			delete(open, name)
		}
	}
	return out
}

// fallback is the first complete section of the name, or one that a job that died left open.
func fallback(log []byte, name Section, complete [][]byte) []byte {
	if len(complete) > 0 {
		return complete[0]
	}
	for _, m := range marker.FindAllSubmatchIndex(log, -1) {
		if string(log[m[2]:m[3]]) == "start" && Section(log[m[6]:m[7]]) == name {
			return log[m[1]:]
		}
	}
	return nil
}

// clean removes the markers within a text, and lines that held nothing else with them.
func clean(text []byte) string {
	if !bytes.Contains(text, []byte("section_")) {
		return string(text)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	var b strings.Builder
	for i, line := range lines {
		kept := marker.ReplaceAll(line, nil)
		if len(kept) != len(line) && strings.Trim(string(kept), "\r\n") == "" && i > 0 {
			continue
		}
		b.Write(kept)
	}
	return b.String()
}

// afterFirstLine drops what stands behind the start marker, and the line ends at the end.
func afterFirstLine(text string) string {
	_, rest, _ := strings.Cut(text, "\n")
	return strings.TrimRight(rest, "\n")
}

// isEchoed says whether a line is a command as runners echo it: coloured, behind a dollar.
func isEchoed(line string) bool {
	const enough = 256
	return strings.HasPrefix(terminal.Strip(line[:min(len(line), enough)]), "$ ")
}

// afterCommand is what follows the echoed command of a job that has one; text if no command was echoed.
func afterCommand(section, text string) string {
	rest := section
	for rest != "" {
		line, after, more := strings.Cut(rest, "\n")
		if isEchoed(line) {
			return strings.TrimRight(after, "\n")
		}
		if !more {
			break
		}
		rest = after
	}
	return text
}

var (
	timed    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-fA-F]{2}[OE][ +]`)
	timeSize = 32
)

// stripTimes removes the header that newer runners put before each line, if the first line has one. A line
// that continues the one before is joined to it.
func stripTimes(log []byte) []byte {
	if !timed.Match(log[:min(len(log), timeSize)]) {
		return log
	}
	var out []byte
	for _, line := range bytes.SplitAfter(log, []byte("\n")) {
		if len(line) < timeSize || !timed.Match(line[:timeSize]) {
			out = append(out, line...)
			continue
		}
		if line[timeSize-1] == '+' {
			out = bytes.TrimSuffix(out, []byte("\n"))
		}
		out = append(out, line[timeSize:]...)
	}
	return out
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// LastOutput is the end of what a failed job printed: its failing command and the lines after it, at most
// limit lines.
func LastOutput(log []byte, limit int) string {
	log = public(stripTimes(log), false)
	body := fallback(log, StepScript, sections(log)[StepScript])
	if body == nil {
		body = fallback(log, BuildScript, sections(log)[BuildScript])
	}
	if body == nil {
		body = log
	}
	lines := strings.Split(afterFirstLine(clean(body)), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if isEchoed(lines[i]) {
			lines = lines[i:]
			break
		}
	}
	if len(lines) > limit {
		lines = append([]string{lines[0], "…"}, lines[len(lines)-limit+2:]...)
	}
	return valid(strings.TrimRight(strings.Join(lines, "\n"), "\n"))
}
