package api

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/services/reports"
)

type blocksQuery struct {
	Cursor string `json:"cursor"`
	Limit  *int   `json:"limit" validate:"omitempty,min=1,max=500"`
}

func (a *API) listBlocks(ctx context.Context, who auth.Identity, in blocksQuery) (listing[blocks.Block], error) {
	blocked, next, err := a.Blocks.List(ctx, who, page.Request{Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
	return listingOf(blocked, next), err
}

type reportsQuery struct {
	State  string `json:"state" validate:"omitempty,oneof=open resolved all"`
	Cursor string `json:"cursor"`
	Limit  *int   `json:"limit" validate:"omitempty,min=1,max=100"`
}

func (a *API) listReports(ctx context.Context, who auth.Identity, in reportsQuery) (listing[reports.Report], error) {
	state := reports.State(in.State)
	switch in.State {
	case "":
		state = reports.Open
	case "all":
		state = ""
	}
	all, next, err := a.Reports.List(ctx, who, state, page.Request{Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
	return listingOf(all, next), err
}
