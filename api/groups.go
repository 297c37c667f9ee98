package api

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/services/chat/groups"
)

// madeGroup is a group that has been made.
type madeGroup struct{ groups.CreatedGroup }

// Path implements rest.Located.
func (g madeGroup) Path() string { return Prefix + "/rooms/" + g.Room.String() }

func (a *API) createGroup(ctx context.Context, who auth.Identity, in groups.NewGroup) (madeGroup, error) {
	made, err := a.Groups.Create(ctx, who, in)
	return madeGroup{made}, err
}

// membership names somebody of a group.
type membership struct {
	RoomID string `json:"roomId" validate:"required"`
	UserID string `json:"userId" validate:"required,userid"`
}

func (a *API) addMember(ctx context.Context, who auth.Identity, in membership) (groups.Membership, error) {
	left, err := a.Groups.Add(ctx, who, groups.Addition{RoomID: in.RoomID, Members: []string{in.UserID}})
	return left, ofOne(err)
}

func (a *API) removeMember(ctx context.Context, who auth.Identity, in membership) (groups.Membership, error) {
	left, err := a.Groups.Remove(ctx, who, groups.Removal{RoomID: in.RoomID, Members: []string{in.UserID}})
	return left, ofOne(err)
}

// ofOne has a failure name the variable of the path where it names the list of members.
func ofOne(err error) error {
	if wrong, is := err.(*fault.Error); is && wrong.Field == "members" { //nolint:errorlint // others are not for clients
		named := *wrong
		named.Field = "userId"
		return &named
	}
	return err
}
