package chat

import (
	"context"
	"mime"
	"strings"

	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/text"
)

// File is a file that somebody wants to say in a room.
type File struct {
	RoomID   string          `json:"roomId" validate:"required"`
	FileName string          `json:"fileName" validate:"required,max=255"`
	MimeType string          `json:"mimeType" validate:"required,max=127"` // of RFC 2045, such as image/png
	File     call.Attachment `json:"file"`
	ClientID string          `json:"clientId" validate:"max=128"`
}

// Attachments implements call.Attachable.
func (f *File) Attachments() []*call.Attachment { return []*call.Attachment{&f.File} }

// SendFile holds a file against everything that a message is held against. It fails with invalid_payload, room_invalid,
// room_forbidden, forbidden and not_found, and for a file that could be sent with unavailable: nothing here keeps files.
func (s *Service) SendFile(ctx context.Context, who auth.Identity, file File) (Receipt, error) {
	if err := file.check(); err != nil {
		return Receipt{}, err
	}
	talk, err := s.conversation(ctx, who, file.RoomID)
	if err != nil {
		return Receipt{}, err
	}
	if err := s.mayWrite(ctx, who, talk.room, "roomId"); err != nil {
		return Receipt{}, err
	}
	return Receipt{}, fault.New(fault.Unavailable, "Files cannot be sent: this server does not keep any")
}

func (f File) check() error {
	switch {
	case text.IsBlank(f.FileName) || strings.ContainsAny(f.FileName, "/\\\x00"):
		return fault.Invalid("fileName", "fileName must be the name of a file, without a folder")
	case !isMediaType(f.MimeType):
		return fault.Invalid("mimeType", "mimeType must be a media type, such as image/png")
	case len(f.File.Bytes) == 0:
		return fault.Invalid("file", "file is missing or empty")
	}
	return nil
}

func isMediaType(name string) bool {
	kind, _, err := mime.ParseMediaType(name)
	return err == nil && strings.Contains(kind, "/")
}
