package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
)

// MaxAttachments is how many attachments a message has at most.
const MaxAttachments = 10

// Attachment is a file that somebody has uploaded, as clients are told of it.
type Attachment struct {
	ID string `json:"attachmentId"`
	// FileName is a name under which it can be saved, wherever.
	FileName string `json:"fileName"`
	// MimeType is what the content is, whatever the uploader has called it.
	MimeType string `json:"mimeType"`
	// Size is in bytes, SHA256 the digest in hexadecimal digits: of what is kept, which of a picture is not what came.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Width and Height are those of a picture that stands upright, in pixels; 0 of what is none.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
	// URL is where it is fetched without a token, up to URLExpiresAt; empty where it is kept.
	URL          string        `json:"url,omitempty"`
	URLExpiresAt instant.Stamp `json:"urlExpiresAt,omitzero"`
	// Thumbnail is the picture in small, nil where there is none.
	Thumbnail *Thumbnail `json:"thumbnail,omitempty"`
}

// Thumbnail is a picture in small.
type Thumbnail struct {
	MimeType string `json:"mimeType"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Size     int64  `json:"size"`
	// URL is as that of the Attachment.
	URL string `json:"url,omitempty"`
}

// Attachments are those of a message, in the order in which its sender has named them.
type Attachments []Attachment

// IDs are the ids of the attachments.
func (a Attachments) IDs() []string {
	ids := make([]string, len(a))
	for i := range a {
		ids[i] = a[i].ID
	}
	return ids
}

// Text is the form in which they are kept with the message: JSON without addresses, "" where there are none.
func (a Attachments) Text() string {
	if len(a) == 0 {
		return ""
	}
	kept := make([]Attachment, len(a))
	for i := range a {
		kept[i] = a[i].WithoutAddresses()
	}
	encoded, err := json.Marshal(kept)
	if err != nil {
		panic(fmt.Sprintf("chat: attachments as JSON: %v", err)) // there is nothing in them that is none
	}
	return string(encoded)
}

// WithoutAddresses is the attachment as it is kept: addresses are made when it is told of.
func (a Attachment) WithoutAddresses() Attachment {
	a.URL, a.URLExpiresAt = "", 0
	if a.Thumbnail != nil {
		small := *a.Thumbnail
		small.URL = ""
		a.Thumbnail = &small
	}
	return a
}

// Scan reads what Text has made; it implements the Scanner of databases.
func (a *Attachments) Scan(column any) error {
	*a = nil
	switch text := column.(type) {
	case string:
		if text == "" {
			return nil
		}
		return json.Unmarshal([]byte(text), a)
	default:
		return fmt.Errorf("attachments of a message are text, not %T", column)
	}
}

// bytes is about what they take as JSON, with their addresses.
func (a Attachments) bytes() int {
	const each = 900 // names of members, digest, addresses
	bytes := 0
	for i := range a {
		bytes += each + len(a[i].FileName)
		if i == 0 { // which is told twice
			bytes *= 2
		}
	}
	return bytes
}

// Upload is a file on its way in.
type Upload struct {
	// FileName is the uploader's, and need not be one under which it can be saved.
	FileName string
	ClientID string
	Content  io.Reader
}

// Files keeps what people upload.
type Files interface {
	// Uploaded returns the attachments of the ids that a person has uploaded, in their order and without addresses, whether
	// they are in a message already or not. It fails with not_found, naming the field.
	Uploaded(ctx context.Context, userID string, ids []string, field string) ([]Attachment, error)
	// Upload keeps a file. It fails with invalid_payload, too_large, conflict and unavailable.
	Upload(ctx context.Context, who auth.Identity, upload Upload) (Attachment, error)
}

// attached are the attachments that a message is to have. Of one that is sent again they may be gone by now: their ids are
// enough to find out.
func (s *Service) attached(ctx context.Context, who auth.Identity, out *Outgoing) (Attachments, error) {
	ids, field := out.AttachmentIDs, "attachmentIds"
	if out.AttachmentID != "" {
		ids, field = []string{out.AttachmentID}, "attachmentId"
	}
	if len(ids) == 0 {
		return nil, nil
	}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return nil, fault.Invalid(field, field+" names an attachment twice")
		}
	}
	found, err := s.files.Uploaded(ctx, who.UserID, ids, field)
	if fault.Is(err, fault.NotFound) && out.ClientID != "" {
		found = make([]Attachment, len(ids))
		for i, id := range ids {
			found[i].ID = id
		}
		return found, nil
	}
	return found, err
}

// NoAttachment is why a message is not sent whose attachments are not there to be put into it.
func NoAttachment() error {
	return notFound("attachmentIds", "There is no such attachment of yours, or it is in a message already")
}
