package fault

import (
	"errors"
	"strings"
	"syscall"
)

// noSpaceTexts are the words of programs whose errors come as text: git and the C library, SQLite (SQLITE_FULL), object
// storages.
var noSpaceTexts = []string{
	"No space left on device", "no space left on device", "Out of diskspace", "unable to write new index file", "unable to write new_index file",
	"Disk quota exceeded", "database or disk is full", "minimum free drive threshold",
}

// noSpace says whether an error is one of a full disk, whoever met it: a file, SQLite, PostgreSQL (disk_full), or git.
func noSpace(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "53100" {
		return true
	}
	text := err.Error()
	for _, t := range noSpaceTexts {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}
