package attachments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// Wanted names an attachment.
type Wanted struct {
	AttachmentID string `json:"attachmentId" validate:"required,max=64"`
}

// File is the content of an attachment or its thumbnail, for whoever may have it.
type File struct {
	FileName, MimeType string
	Size               int64
	// Tag tells the content from any other.
	Tag string
	// Expires is when the address by which it is fetched is over, Unix milliseconds; 0 where it is fetched by somebody.
	Expires int64

	key     string
	storage Storage
}

// Open reads so many bytes of the content from a place on, or to its end where length is negative.
func (f File) Open(ctx context.Context, from, length int64) (io.ReadCloser, error) {
	return f.storage.Open(ctx, f.key, from, length)
}

// Uploaded implements chat.Files.
func (s *Service) Uploaded(ctx context.Context, userID string, ids []string, field string) ([]chat.Attachment, error) {
	found, err := s.store.Attachments(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]chat.Attachment, 0, len(ids))
	for _, id := range ids {
		at := slices.IndexFunc(found, func(r Record) bool { return r.ID == id && r.UserID == userID })
		if at < 0 {
			missing := fault.New(fault.NotFound, "There is no such attachment of yours")
			missing.Field = field
			return nil, missing
		}
		all = append(all, found[at].Attachment)
	}
	return all, nil
}

// Get tells somebody who may have it of an attachment, with addresses that are good from now on. It fails with not_found, also
// where there is one that they may not have.
func (s *Service) Get(ctx context.Context, who auth.Identity, wanted Wanted) (chat.Attachment, error) {
	placed, err := s.mayHave(ctx, who, wanted.AttachmentID)
	if err != nil {
		return chat.Attachment{}, err
	}
	s.address.addressed(&placed.Attachment)
	return placed.Attachment, nil
}

// Fetch is the content of an attachment, or of its thumbnail, for somebody who may have it. It fails as Get does.
func (s *Service) Fetch(ctx context.Context, who auth.Identity, id string, thumbnail bool) (File, error) {
	placed, err := s.mayHave(ctx, who, id)
	if err != nil {
		return File{}, err
	}
	return s.file(placed, thumbnail)
}

// mayHave says who may have an attachment: who may see the message that it is in, and who has uploaded one that is in none yet.
func (s *Service) mayHave(ctx context.Context, who auth.Identity, id string) (Placed, error) {
	placed, found, err := s.store.PlaceOf(ctx, id)
	switch {
	case err != nil:
		return Placed{}, err
	case !found || !who.Can(roles.Chat):
		return Placed{}, unknown()
	case placed.Seq == 0:
		if placed.Spent || placed.UserID != who.UserID {
			return Placed{}, unknown()
		}
		return placed, nil
	}
	err = s.sight.MaySee(ctx, who, placed.Room, placed.Seq)
	if fault.Is(err, fault.RoomForbidden) || fault.Is(err, fault.Forbidden) || fault.Is(err, fault.NotFound) {
		return Placed{}, unknown() // nobody finds out by this which there are
	}
	return placed, err
}

// FetchBy is the content that an address stands for, which was told to those who may have it: as long as it is good, and until
// somebody is taken out of the room. It fails with forbidden for an address that is not good, and with not_found.
func (s *Service) FetchBy(ctx context.Context, address Address) (File, error) {
	madeAt, isGood := s.address.madeAt(address)
	if !isGood {
		return File{}, overdue()
	}
	placed, found, err := s.store.PlaceOf(ctx, address.ID)
	switch {
	case err != nil:
		return File{}, err
	case !found, placed.Seq == 0 && placed.Spent:
		return File{}, unknown()
	case placed.RemovedAt >= madeAt:
		return File{}, overdue()
	}
	file, err := s.file(placed, address.Thumbnail)
	file.Expires = address.Expires
	return file, err
}

func overdue() error {
	return fault.New(fault.Forbidden, "This address is not good any more: ask for the attachment anew")
}

func (s *Service) file(placed Placed, thumbnail bool) (File, error) {
	if s.storage == nil {
		return File{}, keptNowhere()
	}
	file := File{
		FileName: placed.FileName, MimeType: placed.MimeType, Size: placed.Size, Tag: placed.SHA256,
		key: keyOf(placed.ID), storage: s.storage,
	}
	if !thumbnail {
		return file, nil
	}
	small := placed.Thumbnail
	if small == nil {
		return File{}, fault.New(fault.NotFound, "This attachment has no thumbnail")
	}
	file.MimeType, file.Size, file.Tag = small.MimeType, small.Size, placed.SHA256+"-thumbnail"
	file.key += thumbnailSuffix
	return file, nil
}

// Missing reports whether a file could not be read because it is not there, and says so.
func Missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Down(fmt.Errorf("the file of an attachment is lost: %w", err))
	}
	return err
}
