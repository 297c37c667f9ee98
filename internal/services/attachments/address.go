package attachments

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"rolecall/internal/instant"
	"rolecall/internal/services/chat"
)

const (
	// Path is where files are fetched by address.
	Path = "/files/"
	// ThumbnailPath follows the id of a picture there for its thumbnail.
	ThumbnailPath = "/thumbnail"
	// AddressTime is how long an address is good.
	AddressTime = 15 * time.Minute

	keyBytes       = 32
	signatureBytes = 16
)

// signer makes addresses that only a server makes which has the key.
type signer struct {
	key []byte
	now func() time.Time
}

// Address is what the address of a file says.
type Address struct {
	ID        string
	Thumbnail bool
	// Expires is Unix milliseconds.
	Expires   int64
	Signature string
}

func (a Address) path() string {
	if a.Thumbnail {
		return Path + a.ID + ThumbnailPath
	}
	return Path + a.ID
}

func (s *signer) sign(a Address) string {
	mac := hmac.New(sha256.New, s.key)
	_, _ = mac.Write([]byte(a.path() + "\n" + strconv.FormatInt(a.Expires, 10))) // which never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:signatureBytes])
}

func (s *signer) url(a Address) string {
	return a.path() + "?expires=" + strconv.FormatInt(a.Expires, 10) + "&signature=" + s.sign(a)
}

// madeAt is when an address was made, Unix milliseconds; false where it was not made here or is over.
func (s *signer) madeAt(a Address) (at int64, good bool) {
	good = hmac.Equal([]byte(s.sign(a)), []byte(a.Signature)) && s.now().UnixMilli() < a.Expires
	return a.Expires - AddressTime.Milliseconds(), good
}

// addressed fills in where an attachment is fetched, from now on.
func (s *signer) addressed(a *chat.Attachment) {
	expires := s.now().Add(AddressTime).UnixMilli()
	a.URL, a.URLExpiresAt = s.url(Address{ID: a.ID, Expires: expires}), instant.Stamp(expires)
	if a.Thumbnail != nil {
		small := *a.Thumbnail
		small.URL = s.url(Address{ID: a.ID, Thumbnail: true, Expires: expires})
		a.Thumbnail = &small
	}
}

// Tell fills in where the attachments of messages are fetched.
func (s *Service) Tell(messages ...*chat.Message) {
	for _, m := range messages {
		if len(m.Attachments) == 0 {
			continue
		}
		for i := range m.Attachments {
			s.address.addressed(&m.Attachments[i])
		}
		m.Attachment = &m.Attachments[0]
	}
}
