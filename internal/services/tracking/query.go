package tracking

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// DriverView is a driver as watchers see them.
type DriverView struct {
	DriverID  string    `json:"driverId"`
	Username  string    `json:"username"`
	CompanyID string    `json:"companyId"`
	Status    Status    `json:"status"`
	Position  *Position `json:"position,omitempty"`
}

// Page sizes.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Drivers returns a page of the drivers the caller may see and the query asks for, in the order of id, and the cursor of the
// next or "". Who sees all fleets finds a driver of several companies once, in that of the company it reported for last,
// unless a company is asked for. It fails with forbidden, and with invalid_payload for a made-up cursor.
func (s *Service) Drivers(
	ctx context.Context, who auth.Identity, query DriverQuery, at page.Request,
) (views []DriverView, next string, err error) {
	visible, err := fleetScope(who)
	if err != nil {
		return nil, "", err
	}
	after, err := page.Drivers.ParseText(at.Cursor)
	if err != nil {
		return nil, "", err
	}
	if query.CompanyID != "" {
		if !visible.all && visible.companyID != query.CompanyID {
			return nil, "", nil // another company's drivers do not exist
		}
		visible = scope{companyID: query.CompanyID}
	}
	if err := s.lookAround(ctx, visible); err != nil {
		return nil, "", err
	}
	wanted := query.filter()
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	views = []DriverView{}
	for more := true; more && len(views) <= size; {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		var some []*membership // a few at a time, as nobody else gets at the fleet meanwhile
		some, after, more = s.directory.someAfter(visible, after)
		for _, m := range some {
			if view, ok := m.viewIf(wanted); ok {
				views = append(views, view)
			}
		}
	}
	views, next = page.Cut(views, size, func(last DriverView) string { return page.Drivers.Text(last.DriverID) })
	return views, next, nil
}

// Driver returns one driver. Who may not see the driver is told that there is none. Drivers who ask for themselves are
// there even before they have been heard of.
func (s *Service) Driver(ctx context.Context, who auth.Identity, driverID string) (DriverView, error) {
	visible, err := trackScope(who, driverID)
	if err != nil {
		return DriverView{}, err
	}
	if err := s.lookAround(ctx, visible); err != nil {
		return DriverView{}, err
	}
	switch m := s.directory.find(visible, driverID); {
	case m != nil:
		return m.view(), nil
	case who.Can(roles.ReadOwnTrack):
		return DriverView{DriverID: who.UserID, Username: who.Username, CompanyID: who.CompanyID, Status: Offline}, nil
	default:
		return DriverView{}, unknownDriver()
	}
}

// Track returns a page of a driver's stored positions, oldest first, and the cursor of the next page or "".
func (s *Service) Track(
	ctx context.Context, who auth.Identity, query TrackQuery, at page.Request,
) (positions []Position, next string, err error) {
	if _, err := s.Driver(ctx, who, query.DriverID); err != nil {
		return nil, "", err
	}
	after := TrackStart()
	if err := page.Track.ParseNumbers(at.Cursor, &after.TS, &after.Number); err != nil {
		return nil, "", err
	}
	query.CompanyID = who.CompanyID // "" for an admin: the history with every company
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	recorded, err := s.store.Track(ctx, query, after, size+1)
	if err != nil {
		return nil, "", err
	}
	recorded, next = page.Cut(recorded, size,
		func(last Recorded) string { return page.Track.Numbers(last.TS, last.Number) })
	positions = make([]Position, 0, len(recorded))
	for i := range recorded {
		positions = append(positions, recorded[i].Position)
	}
	return positions, next, nil
}

func (m *membership) view() DriverView {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	return m.viewLocked()
}

// viewIf is the view of a member who is wanted, and has not gone.
func (m *membership) viewIf(wanted func(DriverView) bool) (view DriverView, ok bool) {
	m.fleet.mu.Lock()
	gone := m.gone
	view = m.viewLocked()
	m.fleet.mu.Unlock()
	return view, !gone && wanted(view)
}

func (m *membership) viewLocked() DriverView {
	view := DriverView{DriverID: m.id, Username: m.report.Username, CompanyID: m.fleet.companyID, Status: m.shown}
	if m.newest != nil {
		position := m.newest.Position
		view.Position = &position
	}
	return view
}
