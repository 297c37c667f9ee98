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

// Drivers returns a page of the drivers the caller may see, in the order of id, and the cursor of the next or "". Who sees
// all fleets finds a driver of several companies once, in that of the company it reported for last. It fails with forbidden,
// and with invalid_payload for a made-up cursor.
func (s *Service) Drivers(_ context.Context, who auth.Identity, at page.Request) ([]DriverView, string, error) {
	visible, err := fleetScope(who)
	if err != nil {
		return nil, "", err
	}
	after, err := page.Drivers.ParseText(at.Cursor)
	if err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	views := []DriverView{}
	if visible.all {
		for _, m := range s.directory.homesAfter(after, size+1) {
			views = append(views, m.view())
		}
	} else if f := s.directory.lookUp(visible.companyID); f != nil {
		views = f.viewsAfter(after, size+1)
	}
	views, next := page.Cut(views, size, func(last DriverView) string { return page.Drivers.Text(last.DriverID) })
	return views, next, nil
}

// Driver returns one driver. Who may not see the driver is told that there is none. Drivers who ask for themselves are
// there even before they have been heard of.
func (s *Service) Driver(_ context.Context, who auth.Identity, driverID string) (DriverView, error) {
	visible, err := trackScope(who, driverID)
	if err != nil {
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

func (m *membership) viewLocked() DriverView {
	view := DriverView{DriverID: m.id, Username: m.report.Username, CompanyID: m.fleet.companyID, Status: m.status}
	if m.newest != nil {
		position := m.newest.Position
		view.Position = &position
	}
	return view
}

// viewsAfter returns the fleet's drivers beyond an id, in the order of id, at most limit of them.
func (f *fleet) viewsAfter(driverID string, limit int) []DriverView {
	f.mu.Lock()
	defer f.mu.Unlock()
	views := []DriverView{}
	f.members.Ascend(driverID, func(id string, m *membership) bool {
		if id != driverID && !m.gone {
			views = append(views, m.viewLocked())
		}
		return len(views) < limit
	})
	return views
}
