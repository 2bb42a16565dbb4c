package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
)

type fileEntity struct {
	Name         string `json:"file_name"`
	Path         string `json:"file_path"`
	Size         int    `json:"size"`
	Encoding     string `json:"encoding"`
	SHA256       string `json:"content_sha256"`
	Ref          string `json:"ref"`
	BlobID       string `json:"blob_id"`
	CommitID     string `json:"commit_id"`
	LastCommitID string `json:"last_commit_id"`
	Executable   bool   `json:"execute_filemode"`
	Content      string `json:"content"`
}

type treeEntry struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
	Path string `json:"path"`
	Mode string `json:"mode"`
}

func (s *Server) fileRoutes(r routes) {
	files := "/projects/:id/repository/files/:file_path"
	r.get(files, project(access.ReadCode), with(s.getFile))
	r.get(files+"/raw", project(access.ReadRepository), with(s.rawFile))
	r.post(files, project(access.PushRef), with(s.writeFile(gitrepo.CreateFile)))
	r.put(files, project(access.PushRef), with(s.writeFile(gitrepo.UpdateFile)))
	r.delete(files, project(access.PushRef), with(s.deleteFile))
	r.get("/projects/:id/repository/tree", project(access.ReadCode), with(s.tree))
	for _, suffix := range []string{"", ".tar.gz", ".tgz", ".gz", ".tar", ".zip", ".tar.bz2", ".tbz", ".tbz2", ".tb2", ".bz2"} {
		r.get("/projects/:id/repository/archive"+suffix, project(access.ReadCode), with(func(c *call, p *archiveParams) (any, error) {
			return s.archive(c, p, suffix)
		}))
	}
}

// maxFile is the largest file that the API hands out whole.
const maxFile = 32 << 20

// file finds a file at a revision.
func (s *Server) file(c *call, ref string) (e fileEntity, data []byte, err error) {
	repo := s.ci.Repo(c.project)
	name := strings.TrimPrefix(path.Clean("/"+c.Param("file_path")), "/")
	if ref == "" {
		ref = "HEAD"
	}
	sha, err := c.found(ref, "Commit")
	if err != nil {
		return e, nil, err
	}
	entry, err := repo.EntryAt(c.ctx(), sha, name)
	if err != nil || entry.Type != "blob" {
		return e, nil, lost(errors.Join(err, gitrepo.ErrNotFound), "File")
	}
	if data, err = repo.For(c.network()).FileFor(c.ctx(), sha, name, maxFile); err != nil {
		if errors.Is(err, gitrepo.ErrTooLarge) {
			return e, nil, fault.New(fault.TooLarge, "413 Request Entity Too Large - clone the repository to read this file")
		}
		return e, nil, lost(err, "File")
	}
	last, err := repo.LastCommit(c.ctx(), sha, name)
	if err != nil {
		return e, nil, lost(err, "Commit")
	}
	sum := sha256.Sum256(data)
	return fileEntity{
		Name: path.Base(name), Path: name, Size: len(data), Encoding: "base64", SHA256: hex.EncodeToString(sum[:]), Ref: ref, BlobID: entry.SHA,
		CommitID: sha, LastCommitID: last, Executable: entry.Mode == "100755", Content: base64.StdEncoding.EncodeToString(data),
	}, data, nil
}

// headers tells of a file without its bytes.
func (e fileEntity) headers(c *call) {
	for name, value := range map[string]string{
		"Blob-Id": e.BlobID, "Commit-Id": e.CommitID, "Content-Sha256": e.SHA256, "Encoding": e.Encoding, "File-Name": e.Name, "File-Path": e.Path,
		"Last-Commit-Id": e.LastCommitID, "Ref": e.Ref, "Size": strconv.Itoa(e.Size), "Execute-Filemode": strconv.FormatBool(e.Executable),
	} {
		c.Header("X-Gitlab-"+name, strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, value))
	}
}

func (s *Server) getFile(c *call, p *struct {
	Ref string `param:"ref,required"`
},
) (any, error) {
	e, _, err := s.file(c, p.Ref)
	if err != nil {
		return nil, err
	}
	e.headers(c)
	return e, nil
}

func (s *Server) rawFile(c *call, p *struct {
	Ref string `param:"ref"`
	LFS bool   `param:"lfs"`
},
) (any, error) {
	e, data, err := s.file(c, p.Ref)
	if err != nil {
		return nil, err
	}
	e.headers(c)
	if httpapi.UnchangedTag(c.Context, e.BlobID) {
		return written, nil
	}
	c.Header("Content-Disposition", httpapi.Disposition("inline", e.Name))
	c.Header("Content-Security-Policy", "default-src 'none'; sandbox")
	c.Data(http.StatusOK, "text/plain; charset=utf-8", data)
	return written, nil
}

type fileParams struct {
	Branch      string `param:"branch,required,filled"`
	Message     string `param:"commit_message,required,filled"`
	StartBranch string `param:"start_branch"`
	AuthorEmail string `param:"author_email"`
	AuthorName  string `param:"author_name"`
	LastCommit  string `param:"last_commit_id"`
}

type writtenFile struct {
	fileParams
	Content    string `param:"content,required"`
	Encoding   string `param:"encoding" values:"text base64"`
	Executable *bool  `param:"execute_filemode"`
}

func (*writtenFile) bodyLimit() int64 { return maxFileBody }

func (s *Server) writeFile(action gitrepo.Action) func(*call, *writtenFile) (any, error) {
	return func(c *call, p *writtenFile) (any, error) {
		data, err := content(p.Content, p.Encoding)
		if err != nil {
			return nil, err
		}
		ch := gitrepo.Change{Action: action, Path: strings.TrimPrefix(c.Param("file_path"), "/"), Content: data, Executable: p.Executable}
		if err := s.commitFile(c, p.fileParams, ch); err != nil {
			return nil, err
		}
		return map[string]string{"file_path": ch.Path, "branch": p.Branch}, nil
	}
}

func (s *Server) commitFile(c *call, p fileParams, ch gitrepo.Change) error {
	if p.LastCommit != "" {
		sha, err := c.found("refs/heads/"+p.Branch, "Branch")
		if err != nil {
			return err
		}
		last, err := s.ci.Repo(c.project).LastCommit(c.ctx(), sha, ch.Path)
		if err == nil && last != p.LastCommit {
			return fault.New(fault.Invalid, "You are attempting to update a file that has changed since you started editing it.")
		}
	}
	_, err := s.ci.Commit(c.ctx(), c.actor, c.project, ci.NewCommit{
		Branch: p.Branch, StartBranch: p.StartBranch, Message: p.Message, AuthorName: p.AuthorName, AuthorEmail: p.AuthorEmail, Changes: []gitrepo.Change{ch},
	})
	return err
}

func (s *Server) deleteFile(c *call, p *fileParams) (any, error) {
	return nil, s.commitFile(c, *p, gitrepo.Change{Action: gitrepo.DeleteFile, Path: strings.TrimPrefix(c.Param("file_path"), "/")})
}

type treeParams struct {
	httpapi.Page
	Ref       string `param:"ref"`
	Path      string `param:"path"`
	Recursive bool   `param:"recursive"`
}

func (s *Server) tree(c *call, p *treeParams) (any, error) {
	repo := s.ci.Repo(c.project)
	ref := p.Ref
	if ref == "" {
		ref = c.project.DefaultBranch
	}
	sha, err := c.found(ref, "Tree")
	if err != nil {
		return nil, err
	}
	var entries []gitrepo.Entry
	if p.Recursive {
		entries, err = repo.RecursiveTree(c.ctx(), sha, strings.Trim(p.Path, "/"))
	} else {
		entries, err = repo.Tree(c.ctx(), sha, p.Path)
	}
	if err != nil {
		return nil, lost(err, "Tree")
	}
	if p.PageToken != "" {
		for i, e := range entries {
			if e.SHA == p.PageToken || e.Path == p.PageToken {
				entries = entries[i+1:]
				break
			}
		}
	}
	out := sliced(entries, p.Page)
	shown := out.rows.([]gitrepo.Entry)
	if p.Keyset() {
		out.keyset, out.param = true, "page_token"
		if len(entries) > len(shown) && len(shown) > 0 {
			out.next = shown[len(shown)-1].Path
		}
	}
	out.rows = each(shown, func(e gitrepo.Entry) treeEntry {
		return treeEntry{ID: e.SHA, Name: text(e.Name), Type: e.Type, Path: text(e.Path), Mode: e.Mode}
	})
	return out, nil
}

type archiveParams struct {
	SHA  string `param:"sha"`
	Path string `param:"path"`
}

func (s *Server) archive(c *call, p *archiveParams, suffix string) (any, error) {
	repo := s.ci.Repo(c.project)
	ref := p.SHA
	if ref == "" {
		ref = c.project.DefaultBranch
	}
	sha, err := c.found(ref, "File")
	if err != nil {
		return nil, err
	}
	folder := strings.Trim(p.Path, "/")
	if folder != "" {
		if _, err := repo.EntryAt(c.ctx(), sha, folder); err != nil {
			return nil, lost(err, "File")
		}
	}
	format := gitrepo.TarGz
	switch suffix {
	case ".tar":
		format = gitrepo.Tar
	case ".zip":
		format = gitrepo.Zip
	case ".tar.bz2", ".tbz", ".tbz2", ".tb2", ".bz2":
		format = gitrepo.TarBz2
	}
	if !format.Available() {
		return nil, fault.New(fault.Invalid, "400 Bad request - bzip2 is not installed on the server; ask for tar.gz")
	}
	name := gitrepo.ArchiveName(c.project.Path, ref, sha, folder)
	c.Header("Content-Type", format.MediaType())
	c.Header("Content-Disposition", httpapi.Disposition("attachment", name+"."+string(format)))
	if httpapi.IsHead(c.Context) {
		c.Status(http.StatusOK)
		return written, nil
	}
	return written, repo.For(c.network()).Archive(c.ctx(), sha, format, name, folder, c.Writer)
}

// network is whom what waits on the disk is counted for.
func (c *call) network() string { return httpapi.Network(c.ClientIP()).String() }
