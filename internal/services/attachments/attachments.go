// Package attachments keeps the files that people upload for their messages: taken in as they come, cleaned, shown to those who
// may see the message, and gone with it.
package attachments

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"runtime"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/turns"
)

// Record is an attachment as the store has it.
type Record struct {
	chat.Attachment
	// UserID is who has uploaded it, and ClientID what they call it, "" where they call it nothing.
	UserID, ClientID string
	// Received is the digest of what came, in hexadecimal digits.
	Received string
	// CreatedAt is Unix milliseconds.
	CreatedAt int64
}

// Placed is an attachment, and the message that it is in.
type Placed struct {
	Record
	// Spent is set once it has been put into a message, or is not to be any more.
	Spent bool
	// Room is the message's, the zero one where it is in none, and Seq its place there.
	Room roles.ChatRoom
	Seq  int64
	// RemovedAt is when somebody was last taken out of the room, Unix milliseconds; 0 for never.
	RemovedAt int64
}

// Store knows what was uploaded. Which message an attachment is in is said by chat.Store, which puts it there.
type Store interface {
	// AddAttachment keeps one. Where the same person has uploaded one under the same ClientID before, nothing is kept, and that
	// one is returned.
	AddAttachment(ctx context.Context, record Record) (before *Record, err error)
	// Attachments returns those of the ids that are there, in no order.
	Attachments(ctx context.Context, ids []string) ([]Record, error)
	// PlaceOf returns an attachment; found is false where there is none of that id.
	PlaceOf(ctx context.Context, id string) (placed Placed, found bool, err error)
	// AbandonAttachments has those be put into no message any more that are in none and were uploaded before a time in Unix
	// milliseconds, and returns the ids of some, at most limit, that are in none and will never be in one.
	AbandonAttachments(ctx context.Context, before int64, limit int) ([]string, error)
	// ForgetAttachments removes attachments that are in no message.
	ForgetAttachments(ctx context.Context, ids []string) error
	// ServerKey returns the key of a name that all who share the database have in common: fresh, where there was none.
	ServerKey(ctx context.Context, name, fresh string) (string, error)
}

// Object is a file that is kept.
type Object struct {
	Key     string
	ModTime time.Time
}

// Storage keeps the files themselves, by keys; blobs.Store is one. Whatever else is to be done with each of them, such as to
// encrypt it, stands as another Storage before that.
type Storage interface {
	// Put keeps an object, which is read to its end, so that it outlasts the process. Where it fails nothing is kept, and an error
	// of from is returned as it is.
	Put(ctx context.Context, key string, from io.Reader) error
	// Open reads so many bytes of an object from a place on, or to its end where length is negative. It fails with fs.ErrNotExist.
	Open(ctx context.Context, key string, from, length int64) (io.ReadCloser, error)
	// Delete removes an object; that there is none is no failure.
	Delete(ctx context.Context, key string) error
	// All goes through what is kept, in the order of the keys.
	All(ctx context.Context) iter.Seq2[Object, error]
	// IsRemote reports whether objects are sent elsewhere: not many at a time, for what that takes of memory.
	IsRemote() bool
}

// Sight says who may see which message. MaySee fails as the operations on the room do where somebody may not.
type Sight interface {
	MaySee(ctx context.Context, who auth.Identity, room roles.ChatRoom, seq int64) error
}

// Options shapes a Service.
type Options struct {
	// MaxSize is how large a file is at most, in bytes.
	MaxSize int64
	// Types are the media types that are taken, such as image/*; none for all.
	Types []string
	// ImageMemory is how much memory the points of a picture may take to be made small or turned, in bytes.
	ImageMemory int64
	// Unsent is how long an attachment is kept that is in no message.
	Unsent time.Duration
	// Spool is a folder of this server's own, for what has to be read again on its way in.
	Spool string
	// Buckets hold how much each person may upload.
	Buckets *limit.Buckets
	Now     func() time.Time
	Logger  *slog.Logger
}

const (
	// maxSending is how many files are sent elsewhere at a time.
	maxSending = 4
	// keyName is that of the key by which addresses are signed.
	keyName = "attachments"
)

// Service takes files in and gives them out.
type Service struct {
	store    Store
	storage  Storage // nil where none are kept
	sight    Sight
	options  Options
	log      *slog.Logger
	address  *signer
	pictures *turns.Turns
	sending  *turns.Turns
}

// New returns a Service. Storage is nil where this server keeps no files. Attach is called before anybody fetches.
func New(ctx context.Context, store Store, storage Storage, options Options) (*Service, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	fresh := make([]byte, keyBytes)
	_, _ = rand.Read(fresh) // which never fails: crypto/rand.Read
	text, err := store.ServerKey(ctx, keyName, base64.StdEncoding.EncodeToString(fresh))
	if err != nil {
		return nil, fmt.Errorf("key of attachments: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) < keyBytes {
		return nil, fmt.Errorf("the key of attachments in the database is none")
	}
	if storage != nil {
		if err := clearSpool(options.Spool); err != nil {
			return nil, err
		}
	}
	working := 1 // so that chat goes on beside it
	if runtime.GOMAXPROCS(0) >= 8 {
		working = 2
	}
	return &Service{
		store: store, storage: storage, options: options, log: options.Logger,
		address:  &signer{key: key, now: options.Now},
		pictures: turns.New(turns.Bounds{All: working, Tenant: working, Person: 1}),
		sending:  turns.New(turns.Bounds{All: maxSending, Tenant: maxSending, Person: maxSending}),
	}, nil
}

// Attach tells the service who says who may see which message.
func (s *Service) Attach(sight Sight) { s.sight = sight }

// clearSpool makes the folder, and empties it of what a process has left that is no more.
func clearSpool(folder string) error {
	err := os.RemoveAll(folder)
	if err == nil {
		err = os.MkdirAll(folder, 0o750)
	}
	if err != nil {
		return fmt.Errorf("folder of uploads: %w", err)
	}
	return nil
}

// keyOf is where the file of an attachment is kept, in one of some hundred folders.
func keyOf(id string) string { return id[len(id)-2:] + "/" + id }

// thumbnailSuffix follows the key of a picture in that of its thumbnail.
const thumbnailSuffix = ".thumbnail"

func unknown() error {
	missing := fault.New(fault.NotFound, "There is no such attachment")
	missing.Field = "attachmentId"
	return missing
}

func keptNowhere() error {
	return fault.New(fault.Unavailable, "Files cannot be sent: this server does not keep any")
}
