package tracking

import (
	"context"
	"slices"
	"strings"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
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

// fleetScope returns which companies' drivers the caller may see.
func fleetScope(who auth.Identity) (func(companyID string) bool, error) {
	switch {
	case who.Can(roles.WatchAllFleets):
		return func(string) bool { return true }, nil
	case who.Can(roles.WatchOwnFleet):
		return func(companyID string) bool { return companyID == who.CompanyID }, nil
	default:
		return nil, fault.New(fault.Forbidden, "Only admins and company staff watch drivers")
	}
}

// Drivers returns a page of the drivers the caller may see, in the order of id, and the cursor of the next or "".
func (s *Service) Drivers(who auth.Identity, at page.Request) ([]DriverView, string, error) {
	visible, err := fleetScope(who)
	if err != nil {
		return nil, "", err
	}
	after, err := page.Drivers.ParseText(at.Cursor)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	views := make([]DriverView, 0, len(s.drivers))
	for id, driver := range s.drivers {
		if visible(driver.CompanyID) && id > after {
			views = append(views, driver.view())
		}
	}
	s.mu.Unlock()
	slices.SortFunc(views, func(a, b DriverView) int { return strings.Compare(a.DriverID, b.DriverID) })
	views, next := page.Cut(views, page.Size(at.Limit, DefaultPage, MaxPage),
		func(last DriverView) string { return page.Drivers.Text(last.DriverID) })
	return views, next, nil
}

// Driver returns one driver. Who may not see the driver is told that there is none.
func (s *Service) Driver(who auth.Identity, driverID string) (DriverView, error) {
	visible, err := trackScope(who, driverID)
	if err != nil {
		return DriverView{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	driver, known := s.drivers[driverID]
	if !known || !visible(driver.CompanyID) {
		return DriverView{}, unknownDriver()
	}
	return driver.view(), nil
}

// Track returns a page of a driver's stored positions, oldest first, and the cursor of the next page or "".
func (s *Service) Track(
	ctx context.Context, who auth.Identity, query TrackQuery, at page.Request,
) (positions []Position, next string, err error) {
	if _, err := s.Driver(who, query.DriverID); err != nil {
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

// trackScope is fleetScope, widened by the caller's own track.
func trackScope(who auth.Identity, driverID string) (func(companyID string) bool, error) {
	if who.Can(roles.ReadOwnTrack) {
		if driverID != who.UserID {
			return nil, unknownDriver()
		}
		return func(companyID string) bool { return companyID == who.CompanyID }, nil
	}
	return fleetScope(who)
}

func unknownDriver() error { return fault.New(fault.NotFound, "There is no such driver") }

func (d *live) view() DriverView {
	view := DriverView{DriverID: d.DriverID, Username: d.Username, CompanyID: d.CompanyID, Status: d.status}
	if d.Newest != nil {
		position := *d.Newest
		view.Position = &position
	}
	return view
}
