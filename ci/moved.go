package ci

import "fmt"

// Moved says that a path was the one of a project or group before it was renamed, which the asker may see.
type Moved struct {
	ID   int64
	Path string // the path that it has now
}

func (m *Moved) Error() string { return fmt.Sprintf("it is %s now", m.Path) }
