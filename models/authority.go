package models

import (
	"fmt"
	"slices"

	"gorm.io/gorm/clause"
)

// AuthorityKind is whose rights or powers a transaction changed.
type AuthorityKind string

// The kinds of AuthorityChange.
const (
	UserAuthority    AuthorityKind = "user"    // its state, password, roles or existence
	ProjectAuthority AuthorityKind = "project" // who may see it, and what it allows
	GroupAuthority   AuthorityKind = "group"   // the same of a group
	SessionAuthority AuthorityKind = "session" // it ended
	RunnerAuthority  AuthorityKind = "runner"  // what it may take, its token or existence
)

// AuthorityChange names what a committed transaction changed of somebody's authority. Whoever decided something
// before and still acts on it, such as an open stream or a held request, asks again.
type AuthorityChange struct {
	Kind AuthorityKind
	ID   int64  // of the user, project, group or runner
	Hash string // of the session's cookie
}

// OnAuthorityChange names who is told of changes of authority after each commit that made some. The queries
// of this package note them, so that no use case can forget to. It must be called before the first write; f
// must not wait.
func (d *DB) OnAuthorityChange(f func([]AuthorityChange)) { d.authority = f }

// changesAuthority notes a change for those who are told after the commit.
func (tx *Tx) changesAuthority(kind AuthorityKind, id int64) {
	tx.noteAuthority(AuthorityChange{Kind: kind, ID: id})
}

func (tx *Tx) noteAuthority(c AuthorityChange) {
	if tx.changed != nil && !slices.Contains(*tx.changed, c) {
		*tx.changed = append(*tx.changed, c)
	}
}

// Rows that decide who may do what are stored whole, so whoever stores one must have read it in the same transaction,
// where nobody else can change it meanwhile: a row from before would bring back what somebody took away. The Lock
// functions read such a row, and what they give is the only thing that Update functions store, in that transaction.

// LockedUser is a user that a transaction may change.
type LockedUser struct {
	*User
	in *Tx
}

// LockedProject is a project that a transaction may change.
type LockedProject struct {
	*Project
	in *Tx
}

// LockedNamespace is a group, or the place of a user's own projects, that a transaction may change.
type LockedNamespace struct {
	*Namespace
	in *Tx
}

// LockedRunner is a runner that a transaction may change.
type LockedRunner struct {
	*Runner
	in *Tx
}

// LockedProtectedRef is a rule for branches or tags that a transaction may change.
type LockedProtectedRef struct {
	*ProtectedRef
	in *Tx
}

// LockedProtectedEnvironment is the protection of an environment that a transaction may change.
type LockedProtectedEnvironment struct {
	*ProtectedEnvironment
	in *Tx
}

// LockUser finds a user for a change.
func (tx *Tx) LockUser(id int64) (LockedUser, error) {
	row, err := locked[User](tx, id)
	return LockedUser{row, tx}, err
}

// LockProject finds a project for a change.
func (tx *Tx) LockProject(id int64) (LockedProject, error) {
	row, err := locked[Project](tx, id)
	return LockedProject{row, tx}, err
}

// LockNamespace finds a group for a change.
func (tx *Tx) LockNamespace(id int64) (LockedNamespace, error) {
	row, err := locked[Namespace](tx, id)
	return LockedNamespace{row, tx}, err
}

// LockRunner finds a runner for a change.
func (tx *Tx) LockRunner(id int64) (LockedRunner, error) {
	row, err := locked[Runner](tx, id)
	return LockedRunner{row, tx}, err
}

// LockProtectedRef finds a project's rule for a change.
func (tx *Tx) LockProtectedRef(id int64) (LockedProtectedRef, error) {
	row, err := locked[ProtectedRef](tx, id)
	return LockedProtectedRef{row, tx}, err
}

// LockProtectedEnvironment finds the protection of an environment for a change.
func (tx *Tx) LockProtectedEnvironment(id int64) (LockedProtectedEnvironment, error) {
	row, err := locked[ProtectedEnvironment](tx, id)
	return LockedProtectedEnvironment{row, tx}, err
}

func locked[T any](tx *Tx, id int64) (*T, error) {
	q := tx.db.Where("id = ?", id)
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}) // rows that refer to it may come meanwhile
	}
	return first[T](q)
}

// storeLocked stores all fields of a row that was locked in a transaction, which must be this one, and notes that its
// authority may have changed.
func (tx *Tx) storeLocked(in *Tx, kind AuthorityKind, id int64, row any) error {
	if err := tx.store(in, row, string(kind), id); err != nil {
		return err
	}
	tx.changesAuthority(kind, id)
	return nil
}

// store is storeLocked of a row that those who wait need not hear of.
func (tx *Tx) store(in *Tx, row any, what string, id int64) error {
	if in != tx {
		return fmt.Errorf("%s %d is stored in a transaction that did not lock it", what, id)
	}
	return translate(tx.db.Save(row).Error)
}
