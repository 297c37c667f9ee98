// Package instant reads a time that a client sent, in one of the two forms of the wire contract: Unix milliseconds, or
// RFC 3339 text.
package instant

import (
	"bytes"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
)

const (
	// earliestNumber is the least number taken for Unix milliseconds, a moment of March 1973. What is smaller is almost
	// surely seconds; earlier moments are sent as text.
	earliestNumber = 100_000_000_000
	// latest is the last moment of ECMAScript's Date, in Unix milliseconds (ECMA-262, section 21.4.1.1).
	latest = 8_640_000_000_000_000
	// earliest is the year 0, with which RFC 3339 begins, in Unix milliseconds.
	earliest = -62_167_219_200_000
	// longestText is the longest text taken for a time, in bytes.
	longestText = 64

	notATime  = fault.Wrong("must be Unix milliseconds or an RFC 3339 time")
	inSeconds = fault.Wrong("must be Unix milliseconds; this looks like seconds")
)

// Instant is a moment, to the millisecond. Its zero value is absent.
type Instant struct {
	// Millis is Unix milliseconds.
	Millis int64
	// Set tells a moment from an absent one, or null.
	Set bool
}

// At returns the moment of Unix milliseconds.
func At(millis int64) Instant { return Instant{Millis: millis, Set: true} }

// UnmarshalJSONFrom implements json.UnmarshalerFrom. A value that is no time has been read all the same when it is
// answered with a fault.Wrong.
func (i *Instant) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	kind := decoder.PeekKind()
	if kind != jsontext.KindNumber && kind != jsontext.KindString && kind != jsontext.KindNull {
		if err := decoder.SkipValue(); err != nil {
			return err
		}
		return notATime
	}
	token, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	switch kind {
	case jsontext.KindNumber:
		*i, err = ofNumber(token)
	case jsontext.KindString:
		*i, err = ofText(token.String())
	default:
		*i = Instant{}
	}
	return err
}

// ofNumber leaves out fractions of a millisecond.
func ofNumber(number jsontext.Token) (Instant, error) {
	millis, _ := number.Int() // what is no integer is cut to one, and what is too large stays too large
	switch {
	case millis < 0 || millis > latest:
		return Instant{}, notATime
	case millis < earliestNumber:
		return Instant{}, inSeconds
	}
	return At(millis), nil
}

// ofText reads RFC 3339 in all its forms, and an offset without its colon, as iOS and Java write it.
func ofText(text string) (Instant, error) {
	if len(text) < len("2006-01-02T15:04:05Z") || len(text) > longestText {
		return Instant{}, notATime
	}
	form := bytes.ToUpper([]byte(text)) // T and Z may be written small (RFC 3339, section 5.6)
	if zone := len(form) - len("+0000"); form[zone] == '+' || form[zone] == '-' {
		form = append(form[:zone+3], ':', form[zone+3], form[zone+4])
	}
	leap := string(form[16:19]) == ":60"
	if leap {
		copy(form[17:], "59")
	}
	at, err := time.Parse(time.RFC3339, string(form))
	if err != nil || !strict(form) {
		return Instant{}, notATime
	}
	if leap {
		if at = at.UTC(); at.Hour() != 23 || at.Minute() != 59 {
			return Instant{}, notATime // leap seconds are put in at midnight UTC (RFC 3339, appendix D)
		}
		at = at.Add(time.Second)
	}
	if at.UnixMilli() < earliest {
		return Instant{}, notATime
	}
	return At(at.UnixMilli()), nil
}

// strict refuses what time.Parse lets pass: an hour of one digit, a comma before the fraction, an offset of a day or more.
func strict(form []byte) bool {
	offset := string(form[len(form)-len("00:00"):])
	return form[13] == ':' && form[19] != ',' &&
		(form[len(form)-1] == 'Z' || offset[:2] <= "23" && offset[3:] <= "59")
}

// MarshalJSON writes null where the moment is absent, else what is read as the same moment.
func (i Instant) MarshalJSON() ([]byte, error) {
	switch {
	case !i.Set:
		return []byte("null"), nil
	case i.Millis >= earliestNumber:
		return strconv.AppendInt(nil, i.Millis, 10), nil
	default:
		return time.UnixMilli(i.Millis).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
	}
}
