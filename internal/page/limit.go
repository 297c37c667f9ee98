package page

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
)

// Limit is how many items a client asks for, as it is read: at least 1, and 0 where the client has not said.
type Limit int

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *Limit) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	isAbsent := decoder.PeekKind() == jsontext.KindNull
	var asked int
	if err := json.UnmarshalDecode(decoder, &asked); err != nil {
		return err
	}
	if asked < 1 && !isAbsent {
		return fault.Wrong("is smaller than 1")
	}
	*l = Limit(asked)
	return nil
}
