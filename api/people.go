package api

import (
	"net/http"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

type meDocument struct {
	UserID    string     `json:"userId"`
	Username  string     `json:"username"`
	Role      roles.Role `json:"role"`
	CompanyID string     `json:"companyId,omitempty"`
	ExpiresAt int64      `json:"expiresAt"`
}

func (a *API) me(w http.ResponseWriter, _ *http.Request, who auth.Identity) error {
	return respond(w, http.StatusOK, meDocument{
		UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID,
		ExpiresAt: who.ExpiresAt.UnixMilli(),
	})
}

func (a *API) listUsers(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	query := people.UserQuery{Text: r.URL.Query().Get("q")}
	if name := r.URL.Query().Get("role"); name != "" {
		role, err := roles.Parse(name)
		if err != nil {
			return fault.Invalid("role", "role must be one of: admin driver company provider vendor")
		}
		query.Role = role
	}
	at, err := pageParams(r, people.MaxPage)
	if err != nil {
		return err
	}
	people, next, err := a.Presence.Directory(r.Context(), who, query, at)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, listingOf(people, next))
}

func (a *API) getUser(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	person, err := a.Presence.Lookup(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, person)
}
