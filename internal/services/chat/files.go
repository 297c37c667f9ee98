package chat

import (
	"bytes"
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

// SendFile says a file in a room: in one step what else is to upload it, and to send a message with it and no text. It fails as
// both do.
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
	upload := Upload{FileName: file.FileName, Content: bytes.NewReader(file.File.Bytes)}
	if file.ClientID != "" {
		upload.ClientID = "chat:file " + file.ClientID // apart from what is uploaded by itself
	}
	kept, err := s.files.Upload(ctx, who, upload)
	if err != nil {
		return Receipt{}, err
	}
	return s.Send(ctx, who, Outgoing{RoomID: file.RoomID, ClientID: file.ClientID, AttachmentID: kept.ID})
}

// noFiles keeps none.
type noFiles struct{}

// Uploaded implements Files.
func (noFiles) Uploaded(context.Context, string, []string, string) ([]Attachment, error) {
	return nil, noFilesHere()
}

// Upload implements Files.
func (noFiles) Upload(context.Context, auth.Identity, Upload) (Attachment, error) {
	return Attachment{}, noFilesHere()
}

func noFilesHere() error {
	return fault.New(fault.Unavailable, "Files cannot be sent: this server does not keep any")
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
