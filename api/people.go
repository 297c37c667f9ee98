package api

import (
	"context"

	"rolecall/api/rest"
	"rolecall/api/roster"
	"rolecall/internal/auth"
	"rolecall/internal/page"
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

func (a *API) me(_ context.Context, who auth.Identity, _ struct{}) (meDocument, error) {
	return meDocument{
		UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID,
		ExpiresAt: who.ExpiresAt.UnixMilli(),
	}, nil
}

type usersQuery struct {
	Role    roles.Role `json:"role" validate:"omitempty,oneof=admin driver company provider vendor"`
	Company string     `json:"company" validate:"omitempty,userid"`
	Text    string     `json:"q" validate:"max=128"`
	Cursor  string     `json:"cursor"`
	Limit   *int       `json:"limit" validate:"omitempty,min=1,max=500"`
}

func (a *API) listUsers(ctx context.Context, who auth.Identity, in usersQuery) (listing[people.Person], error) {
	found, next, err := a.Presence.Directory(ctx, who, people.UserQuery{Role: in.Role, CompanyID: in.Company, Text: in.Text},
		page.Request{Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
	return listingOf(found, next), err
}

func (a *API) getUser(ctx context.Context, who auth.Identity, in one) (people.Person, error) {
	return a.Presence.Lookup(ctx, who, in.ID)
}

// writtenUser is a person of whom it was said who they are.
type writtenUser struct{ people.Entered }

// Path implements rest.Located.
func (u writtenUser) Path() string { return Prefix + "/users/" + u.UserID }

func (a *API) putUser(ctx context.Context, who auth.Identity, in people.Entry) (writtenUser, error) {
	entered, err := a.Presence.Put(ctx, who, in)
	return writtenUser{entered}, err
}

func (a *API) importUsers(ctx context.Context, who auth.Identity, body rest.Body) (people.ImportReport, error) {
	return a.Presence.Import(ctx, who, roster.Read(body, body.Media, a.Decoder))
}
