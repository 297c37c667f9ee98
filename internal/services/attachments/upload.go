package attachments

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/filename"
	"rolecall/internal/filetype"
	"rolecall/internal/limit"
	"rolecall/internal/picture"
	"rolecall/internal/services/chat"
)

// unit is how much may be uploaded for one token, in bytes; the first comes with the call.
const unit = 1 << 20

// Upload implements chat.Files: it keeps a file of somebody's, which belongs to them until it is in a message. What it is
// is found out from what is in it; a picture is turned upright, and nothing is kept of where, when and with what it was taken. It
// fails with invalid_payload, too_large, rate_limited, conflict (another file under the same ClientID) and unavailable, and as
// reading the content does.
func (s *Service) Upload(ctx context.Context, who auth.Identity, upload chat.Upload) (chat.Attachment, error) {
	added, err := s.Add(ctx, who, upload)
	return added.Attachment, err
}

// Added is an attachment that somebody has uploaded.
type Added struct {
	chat.Attachment
	// Replayed is set where it had been uploaded before under the same ClientID.
	Replayed bool `json:"-"`
}

// IsNew reports whether it was kept just now.
func (a Added) IsNew() bool { return !a.Replayed }

// MaxSize is how large a file is at most, in bytes.
func (s *Service) MaxSize() int64 { return s.options.MaxSize }

// Add is Upload, and tells whether there is a file more.
func (s *Service) Add(ctx context.Context, who auth.Identity, upload chat.Upload) (Added, error) {
	if s.storage == nil {
		return Added{}, keptNowhere()
	}
	incoming := &incoming{service: s, who: who, from: upload.Content, digest: sha256.New()}
	head := make([]byte, filetype.Sniffed)
	n, err := io.ReadFull(incoming, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Added{}, err
	}
	if head = head[:n]; n == 0 {
		return Added{}, fault.Invalid("file", "file is missing or empty")
	}
	media := filetype.Of(head)
	if err := s.takes(media); err != nil {
		return Added{}, err
	}
	record := Record{
		Attachment: chat.Attachment{ID: uuid.Must(uuid.NewV7()).String(), FileName: filename.Clean(upload.FileName), MimeType: media},
		UserID:     who.UserID, ClientID: upload.ClientID,
	}
	content := io.MultiReader(bytes.NewReader(head), incoming)
	switch {
	case picture.Known(media):
		err = s.keepPicture(ctx, who, &record, content)
	case s.storage.IsRemote():
		err = s.keepSpooled(ctx, who, &record, content)
	default:
		err = s.keep(ctx, &record, content)
	}
	if err != nil {
		return Added{}, s.undone(ctx, record.ID, err)
	}
	record.Received, record.CreatedAt = hex.EncodeToString(incoming.digest.Sum(nil)), s.options.Now().UnixMilli()
	return s.noted(ctx, record)
}

// noted writes down what is kept. From then on it may be put into a message.
func (s *Service) noted(ctx context.Context, record Record) (Added, error) {
	before, err := s.store.AddAttachment(ctx, record)
	switch {
	case err != nil: // it may be written down for all that: what is not is collected
		return Added{}, err
	case before == nil:
		s.address.addressed(&record.Attachment)
		return Added{Attachment: record.Attachment}, nil
	}
	s.discard(ctx, record.ID)
	if before.Received != record.Received || before.FileName != record.FileName {
		another := fault.New(fault.Conflict, "Another file was sent under this clientId before")
		another.Field = "clientId"
		return Added{}, another
	}
	s.address.addressed(&before.Attachment)
	return Added{Attachment: before.Attachment, Replayed: true}, nil
}

// undone removes what may be kept of an upload that has failed, and words the failure.
func (s *Service) undone(ctx context.Context, id string, failed error) error {
	s.discard(ctx, id)
	var known *fault.Error
	switch {
	case errors.As(failed, &known):
		return failed
	case errors.Is(failed, picture.ErrDamaged):
		return fault.Invalid("file", "file is a picture that is damaged")
	default:
		return fault.Down(failed)
	}
}

// discard removes the files of an upload that is not kept. What it does not remove is collected.
func (s *Service) discard(ctx context.Context, id string) {
	ctx = context.WithoutCancel(ctx)
	if err := errors.Join(s.storage.Delete(ctx, keyOf(id)), s.storage.Delete(ctx, keyOf(id)+thumbnailSuffix)); err != nil {
		s.log.WarnContext(ctx, "file of an upload not removed", "attachment", id, "error", err)
	}
}

// takes fails for a type that is not taken, and for pictures that may say where they were taken and cannot be cleaned.
func (s *Service) takes(media string) error {
	isTaken := len(s.options.Types) == 0 || slices.ContainsFunc(s.options.Types, func(pattern string) bool {
		kind, any := strings.CutSuffix(pattern, "/*")
		return pattern == media || any && strings.HasPrefix(media, kind+"/")
	})
	if !isTaken {
		return fault.Invalid("file", "file is "+media+", which is not taken here")
	}
	plain := []string{"image/svg+xml", "image/bmp", "image/x-icon"}
	if strings.HasPrefix(media, "image/") && !picture.Known(media) && !slices.Contains(plain, media) {
		return fault.Invalid("file", "file is "+media+", of which nobody can be sure what it tells: send it as JPEG, PNG, WebP or GIF")
	}
	return nil
}

// keep stores a file, and notes what there is of it.
func (s *Service) keep(ctx context.Context, record *Record, content io.Reader) error {
	measured := &measure{from: content, digest: sha256.New()}
	if err := s.storage.Put(ctx, keyOf(record.ID), measured); err != nil {
		return err
	}
	record.Size, record.SHA256 = measured.size, hex.EncodeToString(measured.digest.Sum(nil))
	return nil
}

// keepSpooled stores a file that is sent elsewhere, when all of it has come: a slow uploader holds up nobody.
func (s *Service) keepSpooled(ctx context.Context, who auth.Identity, record *Record, content io.Reader) error {
	return s.spooled(content, func(file *os.File) error { return s.send(ctx, who, record, file) })
}

// send stores a file from its beginning, when it is its turn.
func (s *Service) send(ctx context.Context, who auth.Identity, record *Record, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read upload anew: %w", err)
	}
	if s.storage.IsRemote() {
		done, err := s.sending.Take(ctx, who.CompanyID, who.UserID)
		if err != nil {
			return err
		}
		defer done()
	}
	return s.keep(ctx, record, file)
}

// keepPicture stores a picture as it may be shown, and its thumbnail. The picture is looked at when it is its turn.
func (s *Service) keepPicture(ctx context.Context, who auth.Identity, record *Record, content io.Reader) error {
	return s.spooled(content, func(came *os.File) error {
		return s.spooled(strings.NewReader(""), func(clean *os.File) error {
			cleaned, err := s.clean(ctx, who, came, clean, record.MimeType)
			if err != nil {
				return err
			}
			record.Width, record.Height = cleaned.Width, cleaned.Height
			if small := cleaned.Thumbnail; small != nil {
				record.Thumbnail = &chat.Thumbnail{
					MimeType: small.MimeType, Width: small.Width, Height: small.Height, Size: int64(len(small.Content)),
				}
				if err := s.storage.Put(ctx, keyOf(record.ID)+thumbnailSuffix, bytes.NewReader(small.Content)); err != nil {
					return err
				}
			}
			return s.send(ctx, who, record, clean)
		})
	})
}

func (s *Service) clean(ctx context.Context, who auth.Identity, from, to *os.File, media string) (picture.Cleaned, error) {
	done, err := s.pictures.Take(ctx, who.CompanyID, who.UserID)
	if err != nil {
		return picture.Cleaned{}, err
	}
	defer done()
	return picture.Clean(from, to, media, s.options.ImageMemory)
}

// spooled has do read content from a file of this server's own.
func (s *Service) spooled(content io.Reader, do func(*os.File) error) (err error) {
	file, err := os.CreateTemp(s.options.Spool, "upload-*")
	if err != nil {
		return fmt.Errorf("spool upload: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	if _, err := io.Copy(file, content); err != nil {
		return err
	}
	return do(file)
}

// measure is read once, and knows then how much it was.
type measure struct {
	from   io.Reader
	size   int64
	digest hash.Hash
}

// Read implements io.Reader.
func (m *measure) Read(into []byte) (int, error) {
	n, err := m.from.Read(into)
	m.size += int64(n)
	_, _ = m.digest.Write(into[:n]) // which never fails
	return n, err
}

// incoming is what somebody uploads, as far as they may.
type incoming struct {
	service *Service
	who     auth.Identity
	from    io.Reader
	digest  hash.Hash
	size    int64
}

// Read implements io.Reader. It fails with too_large and rate_limited.
func (i *incoming) Read(into []byte) (int, error) {
	n, err := i.from.Read(into)
	before := (max(i.size, 1) - 1) / unit
	i.size += int64(n)
	_, _ = i.digest.Write(into[:n]) // which never fails
	if most := i.service.options.MaxSize; i.size > most {
		large := fault.Newf(fault.TooLarge, "A file has at most %d bytes", most)
		large.Field = "file"
		return n, large
	}
	if more := int((max(i.size, 1)-1)/unit - before); more > 0 && i.service.options.Buckets != nil {
		if ok, retryAfter := i.service.options.Buckets.Admit(i.who.UserID, limit.Upload, more); !ok {
			return n, &fault.Error{Code: fault.RateLimited, Message: "Rate limit exceeded", RetryAfter: retryAfter}
		}
	}
	return n, err
}
