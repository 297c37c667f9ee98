package sqlite

import (
	"errors"

	"modernc.org/sqlite"
)

// trouble is why the file is not written to. While there is one, everything that was stored can still be read, as far as
// the file lets it.
type trouble struct {
	kind  troubleKind
	cause error
}

type troubleKind int

const (
	// moved: the file, or one of those beside it, is not at its path any more: what is written would be gone with the process.
	moved troubleKind = iota + 1
	// damaged: the file does not hold what was written to it.
	damaged
	// full, readOnly and failing are the disk's. They may pass.
	full
	readOnly
	failing
)

// passes reports whether trouble of the kind may end while the program runs.
func (k troubleKind) passes() bool { return k != damaged }

// sentence says to a person what the matter is.
func (k troubleKind) sentence() string {
	switch k {
	case moved:
		return "The database file was removed or replaced while the server runs"
	case damaged:
		return "The database file is damaged"
	case full:
		return "The disk of the database is full"
	case readOnly:
		return "The database cannot be written, its file or its disk is read-only"
	default:
		return "The disk of the database does not work"
	}
}

// advice says to an operator what to do.
func (k troubleKind) advice() string {
	switch k {
	case moved:
		return "put the file back where it was; else stop the server, restore a backup and start again. " +
			"Until this process ends, what it has stored can be copied from its open files (/proc/PID/fd)"
	case damaged:
		return "stop the server, keep a copy of the file and of those beside it, and restore a backup, " +
			"or save what can be read with: sqlite3 FILE .recover | sqlite3 NEW"
	case full:
		return "make room on the disk; the server then goes on by itself"
	case readOnly:
		return "make the file writable; the server then goes on by itself"
	default:
		return "look at the disk; the server goes on by itself when it works again"
	}
}

// Unusable is the failure of what needs a file that cannot be written, or cannot be trusted.
type Unusable struct {
	// Sentence says to a person what the matter is, without anything that is the operator's alone to know.
	Sentence string
}

// Error implements error.
func (u *Unusable) Error() string { return "nothing is stored: " + u.Sentence }

func (t *trouble) unusable() error { return &Unusable{Sentence: t.kind.sentence()} }

// troubleOf is what an error says of the file; false for errors that say nothing of it. The codes are those of
// https://www.sqlite.org/rescode.html, of which the lowest byte is the kind.
func troubleOf(err error) (*trouble, bool) {
	const (
		codeReadOnly = 8
		codeIO       = 10
		codeCorrupt  = 11
		codeFull     = 13
		codeCantOpen = 14
		codeNotADB   = 26
	)
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return nil, false
	}
	switch failed.Code() & 0xff {
	case codeCorrupt, codeNotADB:
		return &trouble{damaged, err}, true
	case codeFull:
		return &trouble{full, err}, true
	case codeReadOnly:
		return &trouble{readOnly, err}, true
	case codeIO, codeCantOpen:
		return &trouble{failing, err}, true
	}
	return nil, false
}
