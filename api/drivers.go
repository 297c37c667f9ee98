package api

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/services/tracking"
)

type driversQuery struct {
	Company string           `json:"company" validate:"max=128"`
	Status  tracking.Status  `json:"status" validate:"omitempty,oneof=online stale offline"`
	Text    string           `json:"q" validate:"max=128"`
	Bounds  *tracking.Bounds `json:"bounds"`
	Cursor  string           `json:"cursor"`
	Limit   *int             `json:"limit" validate:"omitempty,min=1,max=1000"`
}

func (a *API) listDrivers(ctx context.Context, who auth.Identity, in driversQuery) (listing[tracking.DriverView], error) {
	drivers, next, err := a.Tracking.Drivers(ctx, who,
		tracking.DriverQuery{CompanyID: in.Company, Status: in.Status, Text: in.Text, Bounds: in.Bounds},
		page.Request{Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
	return listingOf(drivers, next), err
}

func (a *API) getDriver(ctx context.Context, who auth.Identity, in one) (tracking.DriverView, error) {
	return a.Tracking.Driver(ctx, who, in.ID)
}

type trackQuery struct {
	ID     string          `json:"id"`
	From   instant.Instant `json:"from"`
	To     instant.Instant `json:"to"`
	Cursor string          `json:"cursor"`
	Limit  *int            `json:"limit" validate:"omitempty,min=1,max=1000"`
}

func (a *API) listPositions(ctx context.Context, who auth.Identity, in trackQuery) (listing[tracking.Position], error) {
	positions, next, err := a.Tracking.Track(ctx, who,
		tracking.TrackQuery{DriverID: in.ID, From: in.From, To: in.To},
		page.Request{Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
	return listingOf(positions, next), err
}
