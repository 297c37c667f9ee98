package tracking

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
	"rolecall/internal/text"
)

// DriverQuery asks for some of the drivers; its zero value asks for all.
type DriverQuery struct {
	// CompanyID, where not "", asks for the drivers of one company.
	CompanyID string
	// Status, where not "", asks for those who stand so.
	Status Status
	// Text, where it is not blank, asks for those in whose name or id it stands, as readers compare names.
	Text string
	// Bounds, where not nil, asks for those whose newest position lies within.
	Bounds *Bounds
}

// filter reports of a driver whether the query asks for it, its company aside.
func (q DriverQuery) filter() func(DriverView) bool {
	name := ""
	if !text.IsBlank(q.Text) {
		name = text.Fold(text.Trim(q.Text))
	}
	return func(view DriverView) bool {
		switch {
		case q.Status != "" && view.Status != q.Status:
			return false
		case q.Bounds != nil && (view.Position == nil || !q.Bounds.hold(view.Position)):
			return false
		default:
			return name == "" || strings.Contains(text.Fold(view.Username), name) || strings.Contains(text.Fold(view.DriverID), name)
		}
	}
}

// Bounds is a part of the map between two meridians and two parallels, edges included, in degrees. Where West lies east of
// East it goes across the 180th meridian.
type Bounds struct{ West, South, East, North float64 }

const notBounds = fault.Wrong("must be west,south,east,north in degrees, such as 5.9,45.8,10.5,47.8")

// UnmarshalJSONFrom reads the text west,south,east,north.
func (b *Bounds) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if decoder.PeekKind() != jsontext.KindString {
		if err := decoder.SkipValue(); err != nil {
			return err
		}
		return notBounds
	}
	token, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	edges := strings.Split(token.String(), ",")
	into := []*float64{&b.West, &b.South, &b.East, &b.North}
	if len(edges) != len(into) {
		return notBounds
	}
	for i, edge := range edges {
		if *into[i], err = strconv.ParseFloat(strings.TrimSpace(edge), 64); err != nil {
			return notBounds
		}
	}
	if !lng.holds(b.West) || !lat.holds(b.South) || !lng.holds(b.East) || !lat.holds(b.North) || b.South > b.North {
		return notBounds
	}
	return nil
}

func (b *Bounds) hold(p *Position) bool {
	if p.Lat < b.South || p.Lat > b.North {
		return false
	}
	if b.West > b.East {
		return p.Lng >= b.West || p.Lng <= b.East
	}
	return p.Lng >= b.West && p.Lng <= b.East
}
