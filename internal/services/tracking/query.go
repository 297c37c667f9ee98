package tracking

import (
	"context"
	"slices"
	"strings"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
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
func (s *Service) Drivers(who auth.Identity, cursor string, limit int) ([]DriverView, string, error) {
	visible, err := fleetScope(who)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	views := make([]DriverView, 0, len(s.drivers))
	for id, driver := range s.drivers {
		if visible(driver.CompanyID) && id > cursor {
			views = append(views, driver.view())
		}
	}
	s.mu.Unlock()
	slices.SortFunc(views, func(a, b DriverView) int { return strings.Compare(a.DriverID, b.DriverID) })
	if limit = pageSize(limit); len(views) > limit {
		return views[:limit], views[limit-1].DriverID, nil
	}
	return views, "", nil
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
func (s *Service) Track(ctx context.Context, who auth.Identity, query TrackQuery) ([]Position, string, error) {
	if _, err := s.Driver(who, query.DriverID); err != nil {
		return nil, "", err
	}
	query.CompanyID = who.CompanyID // "" for an admin: the history with every company
	query.Limit = pageSize(query.Limit)
	positions, next, err := s.store.Track(ctx, query)
	if err != nil {
		return nil, "", err
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

func pageSize(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}
