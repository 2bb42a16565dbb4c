package ci

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// SettingRegistration holds the hash of the instance's registration token.
const SettingRegistration = "registration_token_hash"

func newKey() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// NewProject says what project to make.
type NewProject struct {
	Path          string
	Name          string
	NamespaceID   int64 // 0: the user's own
	Description   string
	Visibility    enum.Visibility
	DefaultBranch string
	// Change sets what else the project shall have from the start; nil for nothing.
	Change func(*models.Project) error
}

var pathPattern = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$`)

// reserved top-level names belong to the pages and the API.
var reserved = []string{
	"-", ".well-known", "404.html", "422.html", "500.html", "502.html", "503.html", "admin", "api", "apple-touch-icon.png", "assets", "dashboard",
	"deploy.html", "explore", "favicon.ico", "favicon.png", "files", "groups", "health_check", "help", "import", "jwt", "login", "oauth", "profile",
	"projects", "public", "robots.txt", "s", "search", "sitemap", "sitemap.xml", "sitemap.xml.gz", "slash-command-logo.png", "snippets", "static",
	"unsubscribe", "unsubscribes", "uploads", "users", "v2",
}

// CheckPath refuses what cannot be a path of a user, group or project.
func CheckPath(path string, top bool) error {
	if !pathPattern.MatchString(path) || len(path) > 255 || strings.HasSuffix(path, ".git") || strings.HasSuffix(path, ".atom") ||
		strings.HasSuffix(path, ".") || strings.Contains(path, "..") {
		return fault.New(fault.Invalid, "path can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'")
	}
	for _, r := range reserved {
		if top && strings.EqualFold(path, r) {
			return fault.New(fault.Invalid, "path %s is a reserved name", path)
		}
	}
	return nil
}

// MayBeNamed says whether a group, a user or a project could have a full path, such as group/sub/project.
func MayBeNamed(path string) bool {
	for i, segment := range strings.Split(path, "/") {
		if CheckPath(segment, i == 0) != nil {
			return false
		}
	}
	return true
}

// CreateProject makes a project with an empty repository in a namespace where the actor may.
func (c *Coordinator) CreateProject(ctx context.Context, a access.Actor, n NewProject) (*models.Project, error) {
	if !access.Allowed(a, access.CreateNamespace, access.Subject{}) {
		return nil, fault.Refused(fault.Forbidden, "")
	}
	if err := CheckPath(n.Path, false); err != nil {
		return nil, fault.Field("path", "%s", fault.Message(err))
	}
	p := &models.Project{
		Path: n.Path, Name: n.Name, Description: n.Description, Visibility: n.Visibility, DefaultBranch: n.DefaultBranch,
		Source: "hosted", Storage: newKey(), BuildsEnabled: true, SharedRunnersEnabled: true, GroupRunnersEnabled: true,
		GitDepth: 20, BuildTimeout: 3600, VariablesMinimumRole: enum.Developer, CreatorID: &a.User.ID,
	}
	p.Storage = p.Storage[:2] + "/" + p.Storage
	if p.Name == "" {
		p.Name = p.Path
	}
	if !p.Visibility.Valid() {
		p.Visibility = enum.Private
	}
	if p.DefaultBranch == "" {
		p.DefaultBranch = "main"
	}
	if n.Change != nil {
		if err := n.Change(p); err != nil {
			return nil, err
		}
	}
	if err := checkProject(p, p.Path); err != nil {
		return nil, err
	}
	if !gitrepo.ValidRef("refs/heads/" + p.DefaultBranch) {
		return nil, fault.Field("default_branch", "is not a valid branch name")
	}
	// The repository is there before the row: a project without one would fail every push.
	if err := c.Repo(p).Create(ctx, p.DefaultBranch); err != nil {
		return nil, err
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		p.ID = 0
		ns, err := c.namespaceFor(tx, a, n.NamespaceID)
		if err != nil {
			return err
		}
		if ns.Kind == "group" && wider(p.Visibility, ns.Visibility) {
			return fault.Field("visibility_level", "%s is not allowed in a %s group.", p.Visibility, ns.Visibility)
		}
		if err := tx.CreateProject(p, ns); err != nil {
			return err
		}
		return audit(tx, a, "project_created", "project", p.ID, p.FullPath)
	})
	if err != nil {
		c.Repo(p).Delete()
	}
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.Field("path", "has already been taken")
	}
	return p, err
}

func (c *Coordinator) namespaceFor(tx *models.Tx, a access.Actor, id int64) (*models.Namespace, error) {
	if id == 0 {
		ns, err := tx.NamespaceByPath(a.User.Username)
		if errors.Is(err, models.ErrNotFound) { // a bot
			return nil, fault.Refused(fault.Forbidden, "name the group that the project shall be in")
		}
		return ns, err
	}
	ns, err := tx.Namespace(id)
	if err != nil {
		return nil, notFound(err, "Namespace")
	}
	if ns.OwnerID != nil && (a.Admin() || *ns.OwnerID == a.ID()) {
		return ns, nil
	}
	s, err := access.GroupSubject(tx, a, ns)
	switch {
	case err != nil:
		return nil, err
	case !access.Allowed(a, access.ReadGroup, s) || ns.Kind != "group":
		return nil, fault.Missing("Namespace")
	case !access.Allowed(a, access.CreateProjects, s):
		return nil, fault.Refused(fault.Forbidden, "you cannot create projects in %s", ns.FullPath)
	}
	return ns, nil
}

// FindProject finds a project by id or full path that the actor may see; *Moved for a path that it had. One
// that it may not see is as
// unknown as one that does not exist.
func (c *Coordinator) FindProject(ctx context.Context, a access.Actor, id string, ability access.Ability) (*models.Project, access.Subject, error) {
	var p *models.Project
	var s access.Subject
	moved := false
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		p, err = projectByID(tx, id)
		if errors.Is(err, models.ErrNotFound) {
			p, err = tx.ProjectByOldPath(id)
			moved = err == nil
		}
		if err != nil {
			return err
		}
		s, err = access.SubjectOf(tx, a, p)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && !access.Allowed(a, access.ReadProject, s) && !access.Allowed(a, ability, s) {
		return nil, s, fault.Missing("Project")
	}
	if err != nil {
		return nil, s, err
	}
	if moved {
		return nil, s, &Moved{p.ID, p.FullPath}
	}
	if !access.Allowed(a, ability, s) {
		return nil, s, fault.Refused(fault.Forbidden, "")
	}
	return p, s, nil
}

func projectByID(tx *models.Tx, id string) (*models.Project, error) {
	var n int64
	if _, err := fmt.Sscanf(id, "%d", &n); err == nil && fmt.Sprint(n) == id {
		return tx.Project(n)
	}
	return tx.ProjectByPath(id)
}

// Bootstrap makes the administrator root on an empty instance, with the given password, or one that it
// returns. A token, if given, becomes a personal access token of root with the scope api.
func (c *Coordinator) Bootstrap(ctx context.Context, password, token string) (made string, err error) {
	hash := ""
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		_, err := tx.UserByName("root")
		return err
	})
	if err == nil {
		return "", c.rootToken(ctx, token)
	}
	if !errors.Is(err, models.ErrNotFound) {
		return "", err
	}
	if password == "" {
		password = secret.NewToken("")
		made = password
	}
	hash = secret.HashPassword(password)
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		return tx.CreateUser(&models.User{Username: "root", Name: "Administrator", Email: "admin@example.com", PasswordHash: hash, Admin: true, CanCreateGroup: true})
	})
	if errors.Is(err, models.ErrDuplicate) { // another node was faster
		made, err = "", nil
	}
	if err != nil {
		return "", err
	}
	return made, c.rootToken(ctx, token)
}

func (c *Coordinator) rootToken(ctx context.Context, token string) error {
	if token == "" {
		return nil
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		root, err := tx.UserByName("root")
		if err != nil {
			return err
		}
		_, err = tx.TokenByHash(secret.Hash(token))
		if !errors.Is(err, models.ErrNotFound) {
			return err
		}
		return tx.CreateToken(&models.PersonalAccessToken{UserID: root.ID, Name: "from the environment", TokenHash: secret.Hash(token), Scopes: []string{"api"}})
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil
	}
	return err
}

// ResetRegistration makes a new registration token for the instance, or for a project or group, and returns
// it. The one before registers no more runners.
func (c *Coordinator) ResetRegistration(ctx context.Context, project *models.Project) (string, error) {
	token := secret.NewToken(secret.Registration)
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		if project == nil {
			return tx.SetSetting(SettingRegistration, secret.Hash(token))
		}
		p, err := tx.LockProject(project.ID)
		if err != nil {
			return err
		}
		p.RegistrationTokenHash = secret.Hash(token)
		return tx.UpdateProject(p)
	})
	return token, err
}
