package demo

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// guest is one of the demo's people as the page is told of them.
type guest struct {
	UserID    string     `json:"userId"`
	Username  string     `json:"username"`
	Role      roles.Role `json:"role"`
	CompanyID string     `json:"companyId,omitempty"`
}

// Door lets who sits at the machine sign in as one of the demo's people with one click: GET /demo/people.json tells who
// they are, POST /demo/people/{id}/token mints a token. To everybody else there is nothing at these paths: who comes
// from another machine, or by a name that is not the machine's own (a proxy in front, or a page elsewhere whose name was
// made to point here), needs a printed link.
func Door(secret []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/people.json", func(w http.ResponseWriter, _ *http.Request) {
		guests := []guest{}
		for _, who := range People(time.Now()) {
			guests = append(guests, guest{who.UserID, who.Username, who.Role, who.CompanyID})
		}
		answer(w, guests)
	})
	mux.HandleFunc("POST /demo/people/{id}/token", func(w http.ResponseWriter, r *http.Request) {
		for _, who := range People(time.Now()) {
			if who.UserID != r.PathValue("id") {
				continue
			}
			token, err := auth.Mint(secret, who)
			if err != nil {
				http.Error(w, "No token could be made.", http.StatusInternalServerError)
				return
			}
			answer(w, map[string]string{"token": token})
			return
		}
		http.NotFound(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !atTheMachine(r) {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// atTheMachine tells whether a request was made from this machine, to one of its own names, by a page of its own or none.
func atTheMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || !loopback(r.Host) {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host
}

// loopback tells whether a host, with or without a port, is a name of the machine for itself.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || (err == nil && address.IsLoopback())
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(value) // the reader may go away
}
