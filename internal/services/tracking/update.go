package tracking

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
)

// liveFor is how long after it was taken a position that comes alone counts as sent at once: as long as the burst of such
// positions lasts. Older ones have been kept by a phone that could not send.
const liveFor = 5 * time.Second

// maxFuture is how far ahead of the server's clock a fix may lie.
const maxFuture = time.Minute

// Update is the payload of an update: one position, or an array of up to MaxBatch. It decodes itself.
type Update struct {
	fixes []fix
	// single is set where the payload was one position and not an array.
	single bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. It fails for what is no JSON and for what is no update at all; a bad
// position is remembered as such and keeps back no other.
func (u *Update) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	switch decoder.PeekKind() {
	case jsontext.KindBeginObject:
		u.fixes, u.single = make([]fix, 1), true
		return u.fixes[0].read(decoder)
	case jsontext.KindBeginArray:
		return u.readArray(decoder)
	case jsontext.KindInvalid:
		return decoder.SkipValue() // says what is invalid
	default:
		return fault.Invalid("", "A position must be a JSON object, or an array of them")
	}
}

// Cost implements access.Itemized: a token for each position. What a phone has kept until it could send, and then sends at
// once, has a bucket of its own, which holds an hour of it.
func (u Update) Cost(now time.Time) (limit.Kind, int) {
	if u.single && (!u.fixes[0].ts.Set || u.fixes[0].ts.Millis > now.Add(-liveFor).UnixMilli()) {
		return limit.Location, 1
	}
	return limit.Backlog, len(u.fixes)
}

func (u *Update) readArray(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != jsontext.KindEndArray {
		if len(u.fixes) == MaxBatch {
			return fault.Newf(fault.TooLarge, "At most %d positions fit in one update", MaxBatch)
		}
		u.fixes = append(u.fixes, fix{})
		if err := u.fixes[len(u.fixes)-1].read(decoder); err != nil {
			return err
		}
	}
	if len(u.fixes) == 0 {
		return fault.Invalid("", "The array of positions is empty")
	}
	_, err := decoder.ReadToken()
	return err
}

// bounds says what the clock allows.
type bounds struct {
	now      time.Time
	earliest int64 // Unix milliseconds; older positions are past the retention
}

// judge sorts an update's positions; first is the first fault found, nil where there is none.
func (u *Update) judge(who auth.Identity, limit bounds) (verdict Verdict, accepted []Position, first *fault.Error) {
	verdict.Rejected = []Rejection{}
	accepted = make([]Position, 0, len(u.fixes))
	for i := range u.fixes {
		fix := &u.fixes[i]
		if bad := fix.judge(limit); bad != nil {
			if first == nil {
				first = bad
			}
			verdict.Rejected = append(verdict.Rejected, Rejection{Index: i, Code: bad.Code, Field: bad.Field})
			continue
		}
		for _, field := range fix.dropped {
			verdict.Dropped = append(verdict.Dropped, Omission{Index: i, Field: field})
		}
		fix.position.DriverID, fix.position.CompanyID = who.UserID, who.CompanyID
		accepted = append(accepted, fix.position)
	}
	verdict.Accepted = len(accepted)
	return verdict, accepted, first
}
