package api

import (
	"errors"
	"net/http"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/services/tracking"
)

func (a *API) listDrivers(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	at, err := pageParams(r, tracking.MaxPage)
	if err != nil {
		return err
	}
	drivers, next, err := a.Tracking.Drivers(who, at)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, listingOf(drivers, next))
}

func (a *API) getDriver(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	driver, err := a.Tracking.Driver(who, pathID(r))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, driver)
}

func (a *API) listPositions(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	query := tracking.TrackQuery{DriverID: pathID(r)}
	at, err := pageParams(r, tracking.MaxPage)
	if err != nil {
		return err
	}
	if query.From, err = timeParam(r, "from"); err != nil {
		return err
	}
	if query.To, err = timeParam(r, "to"); err != nil {
		return err
	}
	positions, next, err := a.Tracking.Track(r.Context(), who, query, at)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, listingOf(positions, next))
}

func (a *API) publishPositions(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	var update tracking.Update
	if err := a.decode(r, &update); err != nil {
		return err
	}
	verdict, err := a.Tracking.Publish(r.Context(), who, update)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, verdict)
}

// timeParam reads a time from the query as Unix milliseconds, 0 where it is absent.
func timeParam(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	at, err := instant.Parse(text)
	var wrong fault.Wrong
	if errors.As(err, &wrong) {
		return 0, wrong.At(name)
	}
	return at.Millis, err
}
