package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rolecall/internal/config"
	"rolecall/internal/disk"
)

// folder finds out whether the data folder can be written, as the disk does it: to the end.
func folder(_ context.Context, o Options) []Finding {
	const check = "data folder"
	dir := o.Config.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one(check, Warning, "Nothing where this is the first start; else name the right one in "+config.Variable("data-dir")+".",
			"%s is not there yet: the server makes it", dir)
	case err != nil:
		return one(check, Failed, "Let the server's user into it.", "%s", err)
	case !info.IsDir():
		return one(check, Failed, "Name a folder in "+config.Variable("data-dir")+".", "%s is no folder", dir)
	}
	if err := tryWriting(dir); err != nil {
		return one(check, Failed, "Make it writable for the server's user, and look whether the disk is full or read-only.", "%s cannot be written: %s", dir, err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return one(check, Warning, fmt.Sprintf("chmod o-rwx %s", dir), "%s is open to everybody on this machine (mode %04o)", dir, mode)
	}
	return one(check, Fine, "", "%s can be written", dir)
}

func tryWriting(dir string) (err error) {
	file, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	if _, err := file.Write(make([]byte, 4096)); err != nil {
		return err
	}
	return file.Sync()
}

const (
	// leastSpace is from where on there is too little room for the server to go on, and fairSpace from where on there is
	// enough, in bytes.
	leastSpace = 64 << 20
	fairSpace  = 1 << 30
)

func space(_ context.Context, o Options) []Finding {
	const check = "disk"
	const todo = "Make room: the server refuses to store anything on a full disk."
	dir := o.Config.DataDir
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Dir(filepath.Clean(dir))
	}
	room, err := disk.SpaceOf(dir)
	switch {
	case err != nil:
		return one(check, Skipped, "", "how much room there is cannot be told: %s", err)
	case room.Free < leastSpace:
		return one(check, Failed, todo, "%s free of %s", bytes(room.Free), bytes(room.Size))
	case room.Free < fairSpace:
		return one(check, Warning, todo, "%s free of %s", bytes(room.Free), bytes(room.Size))
	default:
		return one(check, Fine, "", "%s free of %s", bytes(room.Free), bytes(room.Size))
	}
}

func bytes(n uint64) string {
	const unit = 1 << 10
	value, names := float64(n), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	at := 0
	for value >= unit && at < len(names)-1 {
		value, at = value/unit, at+1
	}
	return fmt.Sprintf("%.4g %s", value, names[at])
}

// secrets finds files that others on the machine can read, or write.
func secrets(_ context.Context, o Options) []Finding {
	const check = "secrets"
	var all []Finding
	for _, path := range []string{filepath.Join(o.Config.DataDir, "jwt-secret"), o.Config.JWTSecretFile, o.DatabasePath} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // made by the server, or found missing by the settings
		case err != nil:
			all = append(all, one(check, Failed, "Let the server's user read it, and nobody else.", "%s", err)...)
		case info.Mode().Perm()&0o077 != 0:
			all = append(all, one(check, Warning, "chmod 600 "+path, "others on this machine can get at %s (mode %04o)", path, info.Mode().Perm())...)
		}
	}
	if all == nil {
		return one(check, Fine, "", "nobody but their owner can get at secrets and database")
	}
	return all
}

const (
	// leastFiles is what a server needs for itself and a few people, fairFiles what a small town connects.
	leastFiles = 256
	fairFiles  = 8192
)

// files tells how many connections the system lets the server have: each is an open file.
func files(context.Context, Options) []Finding {
	const check = "open files"
	const todo = "Raise it: LimitNOFILE= of a systemd unit, --ulimit nofile= of a container, ulimit -n of a shell. Each connection is an open file."
	most, err := openFiles()
	switch {
	case err != nil:
		return one(check, Skipped, "", "the limit cannot be told: %s", err)
	case most < leastFiles:
		return one(check, Failed, todo, "%d at most", most)
	case most < fairFiles:
		return one(check, Warning, todo, "%d at most", most)
	default:
		return one(check, Fine, "", "%d at most", most)
	}
}
