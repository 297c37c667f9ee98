package tracking

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/payload"
)

// fix is one position of an update as its driver sent it.
type fix struct {
	// position lacks its driver, and its time where none was sent.
	position       Position
	hasLat, hasLng bool
	ts             instant.Instant
	// dropped names the optional members that were no values of theirs, such as -1 for a speed that is not known.
	dropped []string
	// bad is the first fault found, nil where there is none.
	bad *fault.Error
}

// optional holds what a position's pointers point at, in one piece.
type optional struct {
	heading, speed, accuracy, altitude, battery float64

	seq int64
}

// read takes the next value, whatever it is. It fails only for what is no JSON.
//
// The hottest path of the program: the text is gone through once, from tokens to a Position, without reflection.
func (f *fix) read(decoder *jsontext.Decoder) error {
	if decoder.PeekKind() != jsontext.KindBeginObject {
		f.blame("", "A position must be a JSON object")
		return decoder.SkipValue()
	}
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	var values *optional
	for decoder.PeekKind() != jsontext.KindEndObject {
		name, err := decoder.ReadToken()
		if err != nil {
			return err
		}
		switch member := memberOf(name.String()); member {
		case unknown:
			f.suspect(name.String())
			err = decoder.SkipValue()
		case ts:
			err = f.readTime(decoder)
		default:
			if values == nil && member != lat && member != lng {
				values = new(optional)
			}
			err = f.readNumber(decoder, member, values)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case !f.hasLat:
		f.blame("lat", "lat is missing")
	case !f.hasLng:
		f.blame("lng", "lng is missing")
	}
	_, err := decoder.ReadToken()
	return err
}

func (f *fix) readTime(decoder *jsontext.Decoder) error {
	err := f.ts.UnmarshalJSONFrom(decoder)
	if err == nil {
		return nil
	}
	var wrong fault.Wrong
	if errors.As(err, &wrong) {
		f.blame("ts", wrong.At("ts").Message)
		return nil
	}
	return err
}

func (f *fix) readNumber(decoder *jsontext.Decoder, member member, values *optional) error {
	switch decoder.PeekKind() {
	case jsontext.KindNumber:
	case jsontext.KindNull: // absent
		return decoder.SkipValue()
	default:
		if member == lat || member == lng {
			f.blame(member.name(), member.name()+" must be a number")
		} else {
			f.dropped = append(f.dropped, member.name())
		}
		return decoder.SkipValue()
	}
	number, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	if member == seq {
		f.takeSeq(number, values)
		return nil
	}
	value, _ := number.Float() // infinite beyond float64
	switch {
	case member.holds(value):
		*f.place(member, values) = value
	case member == lat:
		f.blame("lat", "lat must be a number from -90 to 90")
	case member == lng:
		f.blame("lng", "lng must be a number from -180 to 180")
	default:
		f.dropped = append(f.dropped, member.name())
	}
	return nil
}

func (f *fix) takeSeq(number jsontext.Token, values *optional) {
	count, err := payload.Whole(number)
	if err != nil {
		f.dropped = append(f.dropped, seq.name())
		return
	}
	values.seq = count
	f.position.Seq = &values.seq
}

// place is where a member's value belongs; an optional member is there from then on.
func (f *fix) place(member member, values *optional) *float64 {
	p := &f.position
	switch member {
	case lat:
		f.hasLat = true
		return &p.Lat
	case lng:
		f.hasLng = true
		return &p.Lng
	case heading:
		p.Heading = &values.heading
		return p.Heading
	case speed:
		p.Speed = &values.speed
		return p.Speed
	case accuracy:
		p.Accuracy = &values.accuracy
		return p.Accuracy
	case altitude:
		p.Altitude = &values.altitude
		return p.Altitude
	default:
		p.Battery = &values.battery
		return p.Battery
	}
}

// suspect blames a member that the contract does not know where it is close to one that it does.
func (f *fix) suspect(name string) {
	if right := meant(name); right != "" {
		f.blame(right, right+" must be written like this, not "+name)
	}
}

// blame notes a fault, unless there is one already.
func (f *fix) blame(field, message string) {
	if f.bad == nil {
		f.bad = fault.Invalid(field, message)
	}
}

// judge returns what is wrong with the fix by the clock, or was before.
func (f *fix) judge(limit bounds) *fault.Error {
	f.position.TS, f.position.Stamped = limit.now.UnixMilli(), !f.ts.Set && f.position.Seq != nil
	if f.ts.Set {
		f.position.TS = f.ts.Millis
	}
	switch {
	case f.bad != nil:
	case f.position.TS > limit.now.Add(maxFuture).UnixMilli():
		f.blame("ts", "ts lies more than 60 s in the future")
	case f.position.TS < limit.earliest:
		f.blame("ts", "ts is older than positions are kept")
	}
	return f.bad
}
