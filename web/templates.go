package web

import (
	"html/template"
	"io/fs"
	"strings"
	"sync"
)

// pages are the files and the templates of all pages. They are the same for every server of a process, which therefore reads
// them once.
func pages() (*assets, map[string]*template.Template, error) {
	p, err := readPages()
	return p.assets, p.templates, err
}

type pageFiles struct {
	assets    *assets
	templates map[string]*template.Template
}

var readPages = sync.OnceValues(func() (p pageFiles, err error) {
	if p.assets, err = loadAssets(); err != nil {
		return p, err
	}
	p.templates, err = parse(files, template.FuncMap{"asset": p.assets.address})
	return p, err
})

// parse reads the templates of pages, each with the layout and the parts that they share.
func parse(from fs.FS, more template.FuncMap) (map[string]*template.Template, error) {
	shared, err := template.New("layout.html").Funcs(functions).Funcs(more).ParseFS(from, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(from, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := map[string]*template.Template{}
	for _, file := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "templates/"), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		page, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if all[name], err = page.ParseFS(from, file); err != nil {
			return nil, err
		}
	}
	return all, nil
}
