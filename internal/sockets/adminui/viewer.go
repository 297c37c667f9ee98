package adminui

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"rolecall/internal/realtime"
	"rolecall/internal/services/administration"
)

const (
	// newcomersARound is how many sockets may come into what a viewer is shown in a round.
	newcomersARound = 100
	// maxPageBytes is how long the list of sockets may be with which a viewer begins.
	maxPageBytes = 768 << 10
	// lookAgain is the least time from one look at all sockets, for those to fill places with, to the next.
	lookAgain = 5 * time.Second
)

// viewer is an admin's socket with what it is shown.
type viewer struct {
	*entrant
	socket realtime.Socket
	// welcomed: what there is has been told, and changes may follow. The door's lock guards it.
	welcomed bool

	mu     sync.Mutex // guards these; all of the shown but whose they are and their ids is the loop's own
	shown  map[realtime.Socket]*shown
	isGone bool

	// The loop's own.

	// incomplete: there may be sockets that belong to the view and are not shown.
	incomplete bool
	looked     time.Time
}

// shown is a socket as a viewer knows it.
type shown struct {
	resident
	id, transport string
	rooms         []string
	// ending: it was seen to have ended before anybody said why.
	ending bool
}

func newViewer(socket realtime.Socket, who *entrant) *viewer {
	return &viewer{entrant: who, socket: socket, shown: make(map[realtime.Socket]*shown)}
}

// find returns the shown socket of that id in a namespace; nil where there is none.
func (v *viewer) find(namespace, id string) *shown {
	v.mu.Lock()
	defer v.mu.Unlock()
	for socket, one := range v.shown {
		if one.id == id && socket.Namespace() == namespace {
			return one
		}
	}
	return nil
}

// subject is the socket as the audit names it.
func (s *shown) subject() administration.Subject {
	return administration.Subject{
		UserID: s.who.UserID, Namespace: s.socket.Namespace(), Session: s.socket.Connection().Shown(),
	}
}

// all are what the viewer is shown.
func (v *viewer) all() []*shown {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Values(v.shown))
}

// get returns a socket as it is shown; nil of one that is not.
func (v *viewer) get(socket realtime.Socket) *shown {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shown[socket]
}

// clear ends what the viewer is shown, for good, and returns it.
func (v *viewer) clear() []realtime.Socket {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.isGone = true
	all := make([]realtime.Socket, 0, len(v.shown))
	for socket := range v.shown {
		all = append(all, socket)
	}
	v.shown = make(map[realtime.Socket]*shown)
	return all
}

// add begins to show a socket, unless it is shown already or the viewer has gone.
func (v *viewer) add(w *watcher, r resident, info socketInfo) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isGone || v.shown[r.socket] != nil {
		return false
	}
	w.show(r.socket)
	v.shown[r.socket] = &shown{resident: r, id: info.ID, transport: info.Transport, rooms: info.Rooms}
	return true
}

// remove ends showing a socket.
func (v *viewer) remove(w *watcher, socket realtime.Socket) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shown[socket] != nil {
		delete(v.shown, socket)
		w.forget(socket)
	}
}

// emit sends an event; a viewer that has gone hears no more.
func (v *viewer) emit(event string, arguments ...any) {
	_ = v.socket.Emit(event, realtime.Arguments(arguments)) // what cannot be sent need not be
}

// begin shows the viewer its page.
func (d *Door) begin(v *viewer) {
	page, bytes := []json.RawMessage{}, 0
	for _, r := range d.residents(v.view) {
		info := describe(r)
		encoded, err := json.Marshal(info)
		if err != nil { // texts and numbers always can be encoded
			continue
		}
		if bytes += len(encoded); bytes > maxPageBytes {
			v.incomplete = true
			break
		}
		if v.add(&d.watch, r, info) {
			page = append(page, encoded)
		}
	}
	v.looked = d.Now()
	d.watch.begin() // before the page knows of any socket
	v.emit("all_sockets", page)
}

// tell tells the viewer what has changed of what it is shown.
func (d *Door) tell(v *viewer, r round) {
	d.tellEnds(v, r.ended)
	d.tellChanges(v)
	d.tellNewcomers(v, r)
	for _, one := range r.events {
		of := v.get(one.socket)
		if of == nil {
			continue
		}
		event := "event_received"
		if one.sent {
			event = "event_sent"
		}
		v.emit(event, of.socket.Namespace(), of.id, []string{one.name}, stamp(one.at))
	}
}

// tellEnds tells of sockets that have ended. Why comes a moment later than that they have.
func (d *Door) tellEnds(v *viewer, ended map[realtime.Socket]ending) {
	for _, one := range v.all() {
		socket := one.socket
		how, told := ended[socket]
		switch {
		case told:
		case socket.Context().Err() == nil:
			continue
		case !one.ending:
			one.ending = true
			continue
		default:
			how = ending{reason: "unknown", at: d.Now()}
		}
		v.remove(&d.watch, socket)
		v.emit("socket_disconnected", socket.Namespace(), one.id, how.reason, stamp(how.at))
		for _, room := range one.rooms {
			v.emit("room_left", socket.Namespace(), room, one.id, stamp(how.at))
		}
	}
}

// tellChanges tells of rooms that sockets have come into and left, and of connections that poll no longer.
func (d *Door) tellChanges(v *viewer) {
	now := stamp(d.Now())
	for _, one := range v.all() {
		if one.ending {
			continue
		}
		socket := one.socket
		rooms := roomsNow(socket)
		if !slices.Equal(rooms, one.rooms) {
			for _, room := range without(rooms, one.rooms) {
				v.emit("room_joined", socket.Namespace(), room, one.id, now)
			}
			for _, room := range without(one.rooms, rooms) {
				v.emit("room_left", socket.Namespace(), room, one.id, now)
			}
			one.rooms = rooms
		}
		if transport := socket.Connection().Transport; transport != one.transport {
			one.transport = transport
			v.emit("socket_updated", map[string]string{"id": one.id, "nsp": socket.Namespace(), "transport": transport})
		}
	}
}

// without are the members of one ordered list that another has not.
func without(list, other []string) []string {
	var left []string
	for _, room := range list {
		if _, found := slices.BinarySearch(other, room); !found {
			left = append(left, room)
		}
	}
	return left
}

// tellNewcomers fills free places with sockets that have come or, where some may have been missed, with any.
func (d *Door) tellNewcomers(v *viewer, r round) {
	places := min(PageSize-len(v.all()), newcomersARound)
	for _, socket := range r.opened {
		if places <= 0 {
			v.incomplete = true
			return
		}
		if v.view.holds(socket) && d.tellNewcomer(v, socket) {
			places--
		}
	}
	v.incomplete = v.incomplete || r.missed
	if !v.incomplete || places <= 0 || d.Now().Sub(v.looked) < lookAgain {
		return
	}
	v.incomplete, v.looked = false, d.Now()
	for _, one := range d.residents(v.view) {
		if places <= 0 {
			v.incomplete = true
			return
		}
		if v.get(one.socket) == nil && d.tellNewcomer(v, one.socket) {
			places--
		}
	}
}

func (d *Door) tellNewcomer(v *viewer, socket realtime.Socket) bool {
	r, known := d.resident(socket)
	if !known || socket.Context().Err() != nil {
		return false
	}
	info := describe(r)
	if !v.add(&d.watch, r, info) {
		return false
	}
	v.emit("socket_connected", info, stamp(r.since))
	return true
}
