package sqlite

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The files beside the database, and where things stand in them (https://www.sqlite.org/walformat.html).
const (
	logSuffix   = "-wal"
	indexSuffix = "-shm"

	logHeaderSize   = 32
	frameHeaderSize = 24
	logReadSize     = 64 << 10   // at a time
	logMagic        = 0x377f0682 // with the lowest bit set checksums are big-endian

	indexSize       = 100
	indexFrames     = 16 // how many frames of the log are valid
	indexBackfilled = 96 // how many of them are in the database file
)

// errLogDamaged: frames of commits in the write-ahead log are not what was written, so that opening the file anew would
// drop them and all that follow.
var errLogDamaged = errors.New("the write-ahead log is damaged")

// logIndex is what the index of the write-ahead log says.
type logIndex struct{ frames, backfilled uint32 }

// indexFile is the index of the write-ahead log, opened once for as long as the database is used: to close it would end the
// locks that SQLite has on it, since POSIX ends all that a process has on a file as soon as it closes the file anywhere
// (https://www.sqlite.org/howtocorrupt.html, section 2.2). The next process to read the database would then take the index for
// nobody's and cut it off.
type indexFile struct {
	path string
	file *os.File // nil until there is one
}

func (f *indexFile) read() (logIndex, error) {
	if f.file == nil {
		opened, err := os.Open(f.path)
		if err != nil {
			return logIndex{}, err
		}
		f.file = opened
	}
	var raw [indexSize]byte
	if _, err := f.file.ReadAt(raw[:], 0); err != nil {
		return logIndex{}, err
	}
	return logIndex{binary.NativeEndian.Uint32(raw[indexFrames:]), binary.NativeEndian.Uint32(raw[indexBackfilled:])}, nil
}

// close is called when the database is closed.
func (f *indexFile) close() {
	if f.file != nil {
		_ = f.file.Close() // nothing was written
	}
}

// checkLog reads the first frames of the write-ahead log and compares their checksums. It fails with errLogDamaged. Nothing
// may write meanwhile.
func checkLog(path string, frames uint32) error {
	if frames == 0 {
		return nil
	}
	file, err := os.Open(path + logSuffix)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	log := bufio.NewReaderSize(file, logReadSize)
	header := make([]byte, logHeaderSize)
	if _, err := io.ReadFull(log, header); err != nil {
		return fmt.Errorf("%w: %w", errLogDamaged, err)
	}
	magic := binary.BigEndian.Uint32(header)
	if magic&^1 != logMagic {
		return fmt.Errorf("%w: it does not begin like one", errLogDamaged)
	}
	sum := logSum{bigEndian: magic&1 == 1}
	if sum.add(header[:24]); !sum.is(header[24:]) {
		return fmt.Errorf("%w: its header", errLogDamaged)
	}
	pageSize := binary.BigEndian.Uint32(header[8:])
	if pageSize < 512 || pageSize > 65536 {
		return fmt.Errorf("%w: pages of %d bytes", errLogDamaged, pageSize)
	}
	frame := make([]byte, frameHeaderSize+pageSize)
	for i := range frames {
		if _, err := io.ReadFull(log, frame); err != nil {
			return fmt.Errorf("%w: frame %d of %d: %w", errLogDamaged, i+1, frames, err)
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeaderSize:])
		if string(frame[8:16]) != string(header[16:24]) || !sum.is(frame[16:24]) {
			return fmt.Errorf("%w: frame %d of %d", errLogDamaged, i+1, frames)
		}
	}
	return nil
}

// logSum is the checksum of the write-ahead log, carried on from frame to frame.
type logSum struct {
	bigEndian bool
	a, b      uint32
}

// add takes the byte order of nearly all machines apart from the other: up to megabytes go through here every second.
func (s *logSum) add(data []byte) {
	a, b := s.a, s.b
	if s.bigEndian {
		for ; len(data) >= 8; data = data[8:] {
			a += binary.BigEndian.Uint32(data) + b
			b += binary.BigEndian.Uint32(data[4:]) + a
		}
	} else {
		for ; len(data) >= 8; data = data[8:] {
			a += binary.LittleEndian.Uint32(data) + b
			b += binary.LittleEndian.Uint32(data[4:]) + a
		}
	}
	s.a, s.b = a, b
}

func (s *logSum) is(stored []byte) bool {
	return binary.BigEndian.Uint32(stored) == s.a && binary.BigEndian.Uint32(stored[4:]) == s.b
}
