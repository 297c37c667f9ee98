package instant

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// stampLayout is RFC 3339 with milliseconds, always three digits of them, so that stamps sort as text.
const stampLayout = "2006-01-02T15:04:05.000Z"

// Stamp is a time of people's things (messages, notices, rooms, presence) as clients are told it. It counts Unix
// milliseconds and is JSON text of RFC 3339 in UTC, such as "2026-11-25T09:30:00.000Z". Measurements keep the number.
type Stamp int64

// String is the stamp as clients are told it.
func (s Stamp) String() string { return time.UnixMilli(int64(s)).UTC().Format(stampLayout) }

// MarshalText implements encoding.TextMarshaler, for encoders that know nothing of jsontext.
func (s Stamp) MarshalText() ([]byte, error) { return s.AppendText(nil) }

// AppendText implements encoding.TextAppender.
func (s Stamp) AppendText(to []byte) ([]byte, error) {
	return time.UnixMilli(int64(s)).UTC().AppendFormat(to, stampLayout), nil
}

// UnmarshalText implements encoding.TextUnmarshaler: it reads what MarshalText writes, and any RFC 3339 time.
func (s *Stamp) UnmarshalText(text []byte) error {
	read, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return err
	}
	*s = Stamp(read.UnixMilli())
	return nil
}

// MarshalJSONTo implements json.MarshalerTo.
func (s Stamp) MarshalJSONTo(encoder *jsontext.Encoder) error {
	return encoder.WriteToken(jsontext.String(s.String()))
}
