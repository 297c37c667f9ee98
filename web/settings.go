package web

import (
	"encoding/json"
	"net/http"
)

// Settings is what the page has to know of its server before anybody has signed in. Nothing in it is secret.
type Settings struct {
	// Demo offers what makes sense with made-up people alone: signing in as one of them, a simulated walk.
	Demo bool `json:"demo"`
	// OpenRooms is whether there are rooms that anybody may enter.
	OpenRooms bool `json:"openRooms"`
	// SignInURL is a page where people sign in; it sends them back to this one with #token= and a token. Empty where
	// there is none.
	SignInURL string `json:"signInUrl,omitempty"`
}

// SettingsHandler tells the page its settings.
func SettingsHandler(s Settings) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		setCommonHeaders(w.Header())
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		_ = json.NewEncoder(w).Encode(s) // the reader may go away
	}
}
