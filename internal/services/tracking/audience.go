package tracking

import (
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// audiences says who sees a position: whoever watches the fleet of its company, and whoever watches all fleets. What is
// sent of a driver goes to these rooms and no others; roles.Standing says who stands in them.
func audiences(p *Position) []roles.Room {
	return []roles.Room{roles.FleetRoom(p.CompanyID), roles.AllFleetsRoom()}
}

// statusAudiences says who hears that the status of one of a driver's memberships is another: whoever watches that company's
// fleet where it has changed, and whoever watches all fleets where it is news to them.
func statusAudiences(companyID string, changed, news bool) []roles.Room {
	to := make([]roles.Room, 0, 2)
	if changed {
		to = append(to, roles.FleetRoom(companyID))
	}
	if news {
		to = append(to, roles.AllFleetsRoom())
	}
	return to
}

// scope says whose drivers somebody may ask for; it is audiences seen from the other side.
type scope struct {
	all       bool
	companyID string // where not all
}

// fleetScope is whose drivers the caller watches. It fails with forbidden.
func fleetScope(who auth.Identity) (scope, error) {
	switch {
	case who.Can(roles.WatchAllFleets):
		return scope{all: true}, nil
	case who.Can(roles.WatchOwnFleet):
		return scope{companyID: who.CompanyID}, nil
	default:
		return scope{}, fault.New(fault.Forbidden, "Only admins and company staff watch drivers")
	}
}

// trackScope is fleetScope, widened by the caller's own track. It fails with forbidden, and with not_found for a driver
// who asks for another.
func trackScope(who auth.Identity, driverID string) (scope, error) {
	if who.Can(roles.ReadOwnTrack) {
		if driverID != who.UserID {
			return scope{}, unknownDriver()
		}
		return scope{companyID: who.CompanyID}, nil
	}
	return fleetScope(who)
}

func unknownDriver() error { return fault.New(fault.NotFound, "There is no such driver") }
