package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"signalbox/models/enum"
)

// assets are the files that pages use, in memory. Their addresses carry a version, so that browsers keep them
// and still get new ones after an update.
type assets struct {
	files   map[string][]byte
	version string
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string][]byte{"palette.css": []byte(paletteCSS())}}
	for status, colour := range stateColours {
		a.files["state-"+string(status)+".svg"] = []byte(stateIcon(colour))
	}
	sum := sha256.New()
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		sum.Write(body)
		a.files[strings.TrimPrefix(name, "static/")] = body
		return err
	})
	a.version = hex.EncodeToString(sum.Sum(nil)[:6])
	return a, err
}

// address is where pages find a file.
func (a *assets) address(name string) string { return "/assets/" + name + "?v=" + a.version }

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/assets/")
	body, ok := a.files[name]
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=3600")
	if r.URL.Query().Get("v") == a.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Method == http.MethodGet {
		w.Write(body) // whoever asked has gone if this fails
	}
}

// stateColours are those of the icon of a page that is about something with a state.
var stateColours = map[enum.Status]string{
	enum.Success: "#2da160", enum.Failed: "#d9483b", enum.Running: "#3a86d8", enum.Pending: "#d99a1c", enum.Manual: "#d99a1c",
	enum.Canceled: "#7b8794", enum.Skipped: "#7b8794",
}

// stateIcon is the name mark with a sign in a state's colour.
func stateIcon(colour string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="#15324a"/><circle cx="32" cy="32" r="20" fill="%s"/></svg>`, colour)
}

// stateMarks stand before the title of such a page, for tabs.
var stateMarks = map[enum.Status]string{
	enum.Success: "✓", enum.Failed: "✕", enum.Running: "◐", enum.Pending: "◌", enum.Manual: "▷", enum.Canceled: "⊘", enum.Skipped: "»", enum.Created: "○",
}

// stated puts a state into the title and the icon of a page.
func stated(d data, status enum.Status) {
	if mark := stateMarks[status]; mark != "" {
		d["Title"] = mark + " " + fmt.Sprint(d["Title"])
	}
	if stateColours[status] != "" {
		d["Icon"] = "state-" + string(status) + ".svg"
	}
}
