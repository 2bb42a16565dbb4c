package web

// Page is an address that a page answers. In its path * stands for one part and ** for any number; of a project's pages
// <project> is the path of the project, of a group's <group>.
type Page struct{ Method, Path string }

// Pages lists all pages, for tests that visit every one.
func Pages() []Page {
	s := &Server{}
	out := []Page{{"GET", "/<namespace>"}}
	for _, row := range s.table() {
		path := row.path
		if path == "" {
			path = "/"
		}
		out = append(out, Page{row.method, path})
	}
	for _, row := range s.projectTable() {
		path := "/<project>"
		if row.path != "" {
			path += "/-/" + row.path
		}
		out = append(append(out, Page{row.method, path}), legacyPages(row)...)
	}
	for _, row := range s.groupTable() {
		path := "/groups/<group>"
		if row.path != "" {
			path += "/-/" + row.path
		}
		out = append(out, Page{row.method, path})
	}
	return out
}
