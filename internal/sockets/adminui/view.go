package adminui

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// PageSize is how many sockets an admin is shown at a time.
const PageSize = 500

// view is which sockets an admin is shown: those of a room, or a page of all, those first that have been here for longest.
type view struct {
	room string
	page int // from 0
}

// viewOf reads what stands in the place of a name, or behind it: "page 3", or the name of a room such as "user:ada". Of
// anything else the first page is shown, as the page has a field for a name that tokens have no use for.
func viewOf(text string) view {
	text = strings.TrimSpace(text)
	if number, isPage := strings.CutPrefix(text, "page "); isPage {
		if page, err := strconv.Atoi(strings.TrimSpace(number)); err == nil && page > 0 && page < 1_000_000 {
			return view{page: page - 1}
		}
	}
	if strings.Contains(text, ":") {
		return view{room: text}
	}
	return view{}
}

// holds reports whether a socket that has just come belongs to the view, where there is room in it.
func (v view) holds(socket realtime.Socket) bool { return v.room == "" || socket.InRoom(v.room) }

// resident is an open socket, and whose it is.
type resident struct {
	socket realtime.Socket
	who    auth.Identity
	since  time.Time
}

// residents are the open sockets of a view, no more than a page.
func (d *Door) residents(v view) []resident {
	var all []resident
	for _, room := range roomsOf(v) {
		for socket := range d.Engine.OpenSockets(room) {
			if who, since, known := d.People.Who(socket); known {
				all = append(all, resident{socket, who, since})
			}
		}
	}
	if v.room == "" {
		d.mu.Lock()
		for socket, viewer := range d.viewers {
			all = append(all, resident{socket, viewer.identity, viewer.since})
		}
		d.mu.Unlock()
	}
	if len(all) > PageSize || v.page > 0 {
		slices.SortFunc(all, func(a, b resident) int {
			return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.who.UserID, b.who.UserID))
		})
	}
	first := min(v.page*PageSize, len(all))
	return all[first:min(first+PageSize, len(all))]
}

// roomsOf names the rooms in which the sockets of a view stand, each in one of them.
func roomsOf(v view) []string {
	if v.room != "" {
		return []string{v.room}
	}
	return roles.Names(roles.Everyone())
}

// resident finds out whose a socket is.
func (d *Door) resident(socket realtime.Socket) (r resident, known bool) {
	if v := d.viewer(socket); v != nil {
		return resident{socket, v.identity, v.since}, true
	}
	r.socket = socket
	r.who, r.since, known = d.People.Who(socket)
	return r, known
}
