package call

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
)

const notBinary = fault.Wrong("must be binary data")

// Attachment is a member of a payload that is binary data. In the payload's JSON its place is taken by
// {"_placeholder":true,"num":i}, i being its index among the data that came with the event
// (https://socket.io/docs/v4/socket-io-protocol/#binary-event).
type Attachment struct {
	// Bytes is the data, nil where the member was absent.
	Bytes []byte

	index int
	given bool
}

// placeholder stands in JSON in the place of binary data.
type placeholder struct {
	Placeholder bool `json:"_placeholder"`
	Num         *int `json:"num"`
}

// UnmarshalJSONFrom takes a placeholder; Attach puts the data into its place. Null is no data.
func (a *Attachment) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	*a = Attachment{}
	switch decoder.PeekKind() {
	case jsontext.KindNull:
		return decoder.SkipValue()
	case jsontext.KindBeginObject:
	default:
		return notBinary
	}
	var place placeholder
	if err := json.UnmarshalDecode(decoder, &place); err != nil {
		return err
	}
	if !place.Placeholder || place.Num == nil {
		return notBinary
	}
	a.index, a.given = *place.Num, true
	return nil
}

// MarshalJSONTo writes what is read as the same place.
func (a Attachment) MarshalJSONTo(encoder *jsontext.Encoder) error {
	if !a.given {
		return encoder.WriteToken(jsontext.Null)
	}
	return json.MarshalEncode(encoder, placeholder{Placeholder: true, Num: &a.index})
}

// Attachable is a payload that takes binary data.
type Attachable interface {
	// Attachments are the members that may hold data, whether they were given or not.
	Attachments() []*Attachment
}

// Attach hands the data that came with an event to a decoded payload. Data that no member asks for, or that two ask for,
// is refused like a placeholder without data.
func Attach(payload Attachable, data [][]byte) error {
	taken := make([]bool, len(data))
	count := 0
	for _, member := range payload.Attachments() {
		if !member.given {
			continue
		}
		if member.index < 0 || member.index >= len(data) || taken[member.index] {
			return fault.Invalid("", "The placeholders of binary data do not fit the data")
		}
		member.Bytes, taken[member.index] = data[member.index], true
		count++
	}
	if count < len(data) {
		return fault.Invalid("", "There is binary data that this event does not take")
	}
	return nil
}
