package git

import (
	"encoding/json"
	"net/http"

	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
)

// lfs is where clients of Git LFS ask below a repository: objects/batch, locks, locks/verify, locks/:id/unlock.
const lfs = "/info/lfs"

// lfsError is how servers of Git LFS say what went wrong; its client shows the message.
type lfsError struct {
	Message string `json:"message"`
	Help    string `json:"documentation_url,omitempty"`
}

// serveLFS answers that objects and locks are not kept here: 501, which the client understands as a server without LFS. It goes
// on without locks, and says why a push or a fetch of objects fails. Who may not read the repository is asked to sign in first.
func (h *Handler) serveLFS(w http.ResponseWriter, r *http.Request, path string) {
	err := h.mayRead(r, path)
	answer := lfsError{Message: "Git LFS is not enabled on this server: it stores no LFS objects and no locks. Set GIT_LFS_SKIP_SMUDGE=1 to clone without them."}
	status := http.StatusNotImplemented
	if err != nil {
		answer = lfsError{Message: fault.Message(err)}
		if status = h.statusOf(w, r, err); status == http.StatusUnauthorized {
			w.Header().Set("LFS-Authenticate", `Basic realm="GitLab"`)
		}
	}
	w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) // whoever asked has gone if this fails
}

// mayRead asks for the right to fetch from a repository.
func (h *Handler) mayRead(r *http.Request, path string) error {
	actor, err := h.actor(r)
	if err == nil {
		_, err = h.project(r.Context(), actor, path, gitrepo.UploadPack)
	}
	return err
}
