// Package schema tells where the schema of a database stands: which of a program's migrations it has.
package schema

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Migration is a step of a schema.
type Migration struct {
	Version int64
	// Name is that of the migration's file, "" for a step that this program does not know.
	Name string
	// Applied is when the database has gone the step, zero where it has not.
	Applied time.Time
}

// Known lists the migrations that are files of a folder, named VERSION_NAME.sql.
func Known(folder fs.FS) ([]Migration, error) {
	names, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	known := make([]Migration, 0, len(names))
	for _, name := range names {
		number, rest, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no version: %w", name, err)
		}
		known = append(known, Migration{Version: version, Name: rest})
	}
	return known, nil
}

// Merge tells of each migration, known or applied, in the order of versions.
func Merge(known, applied []Migration) []Migration {
	all := slices.Clone(known)
	for _, step := range applied {
		at := slices.IndexFunc(all, func(m Migration) bool { return m.Version == step.Version })
		if at < 0 {
			all = append(all, step)
			continue
		}
		all[at].Applied = step.Applied
	}
	slices.SortFunc(all, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return all
}

// What State says of a schema that is not just to be brought up to date.
const (
	UpToDate = "up to date"
	Newer    = "newer than this program"
	InPart   = "migrated in part: restore a backup"
)

// State says in words where a schema stands.
func State(migrations []Migration) string {
	missing, newer, holes, newest := 0, false, false, int64(0)
	for _, m := range migrations {
		if !m.Applied.IsZero() {
			newest = max(newest, m.Version)
		}
	}
	for _, m := range migrations {
		if m.Applied.IsZero() {
			missing++
			holes = holes || m.Version < newest
		}
		newer = newer || m.Name == ""
	}
	switch {
	case holes:
		return InPart
	case newer:
		return Newer
	case missing > 0:
		return fmt.Sprintf("%d to apply", missing)
	default:
		return UpToDate
	}
}
