package chatops

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Bounds of what a job may write as JSON; chats take no more.
const (
	maxRich   = 20
	maxFields = 20
	maxLinks  = 20
)

// readRich reads the blocks of a chat_reply_json section: one object or a list of them.
func readRich(raw []byte) ([]Rich, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, nil
	}
	var blocks []Rich
	if raw[0] == '[' {
		if err := strict(raw, &blocks); err != nil {
			return nil, err
		}
	} else {
		var one Rich
		if err := strict(raw, &one); err != nil {
			return nil, err
		}
		blocks = []Rich{one}
	}
	if len(blocks) > maxRich {
		return nil, fmt.Errorf("it has more than %d blocks", maxRich)
	}
	for i := range blocks {
		b := &blocks[i]
		if len(b.Fields) > maxFields || len(b.Links) > maxLinks {
			return nil, fmt.Errorf("a block has more than %d fields or %d links", maxFields, maxLinks)
		}
		for _, l := range b.Links {
			if u, err := url.Parse(l.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
				return nil, fmt.Errorf("%q is no http address", l.URL)
			}
		}
		if b.Image != nil && (b.Image.Artifact == "" || strings.Contains(b.Image.Artifact, "..")) {
			return nil, errors.New("an image names no file of the artifacts")
		}
	}
	return blocks, nil
}

func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands behind the value")
	}
	return nil
}

// eachText changes every text of a block, such as to mask it.
func (r *Rich) eachText(change func(string) string) {
	r.Text = change(r.Text)
	for i := range r.Fields {
		r.Fields[i].Title, r.Fields[i].Value = change(r.Fields[i].Title), change(r.Fields[i].Value)
	}
	for i := range r.Links {
		r.Links[i].Text, r.Links[i].URL = change(r.Links[i].Text), change(r.Links[i].URL)
	}
	if r.Image != nil {
		r.Image.Alt = change(r.Image.Alt)
	}
}

// PlainRich shows blocks as text, where nothing else is possible.
func PlainRich(blocks []Rich) string {
	var lines []string
	for _, b := range blocks {
		if b.Text != "" {
			lines = append(lines, b.Text)
		}
		for _, f := range b.Fields {
			lines = append(lines, f.Title+": "+f.Value)
		}
		for _, l := range b.Links {
			lines = append(lines, l.Text+" "+l.URL)
		}
		if b.Image != nil {
			lines = append(lines, "image "+b.Image.Artifact+" "+b.Image.URL)
		}
	}
	return strings.Join(lines, "\n")
}
