package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSettingsTellThePageWhatItOffers(t *testing.T) {
	for want, settings := range map[string]Settings{
		`{"demo":true,"openRooms":false}` + "\n":                                     {Demo: true},
		`{"demo":false,"openRooms":true,"signInUrl":"https://id.example/in"}` + "\n": {OpenRooms: true, SignInURL: "https://id.example/in"},
	} {
		w := httptest.NewRecorder()
		SettingsHandler(settings)(w, httptest.NewRequest(http.MethodGet, "/settings.json", nil))
		if w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("told %q as %q, want %q", w.Body, w.Header().Get("Content-Type"), want)
		}
	}
}
