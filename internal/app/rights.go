package app

import (
	"context"
	"encoding/json"

	"rolecall/internal/bus"
	"rolecall/internal/services/rights"
)

// kindDeleted tells other nodes that somebody was deleted, of whom they are to remember nothing.
const kindDeleted = "deleted"

type deletedMessage struct {
	UserID string `json:"u"`
}

// openRights lets people have what is kept of them, and be deleted; one of the servers that share a database goes on with what is not
// finished.
func (p *Program) openRights(context.Context) (life, error) {
	p.bus.Handle(kindDeleted, func(ctx context.Context, message bus.Message) {
		var deleted deletedMessage
		if err := json.Unmarshal(message.Body, &deleted); err != nil {
			p.log.WarnContext(ctx, "message of another node not understood", "kind", message.Kind, "node", message.Node, "error", err)
			return
		}
		p.forget(deleted.UserID)
	})
	p.rights = rights.New(rights.Dependencies{
		Store: p.store.Rights, Chat: p.store.RightsInChat, Positions: p.store.Tracks, Groups: p.groups, Sessions: p.admin,
		Forget: p.forgetEverywhere,
		Export: rights.Exports{
			People: p.store.People, Blocks: p.store.Blocks, Conversations: p.store.Lists, Tracking: p.store.Tracking, Notices: p.notices,
		},
		Log: p.store.Administration,
	}, rights.Options{Logger: p.log})
	return life{}, nil // what is left of deletions is done by whoever leads, see openRetention
}

func (p *Program) forgetEverywhere(ctx context.Context, userID string) {
	p.forget(userID)
	body, err := json.Marshal(deletedMessage{userID})
	if err != nil { // text always can be encoded
		p.log.ErrorContext(ctx, "deletion not told", "error", err)
		return
	}
	p.bus.Publish(ctx, bus.Message{Kind: kindDeleted, Body: body})
}

func (p *Program) forget(userID string) {
	p.people.Forget(userID)
	p.tracking.Forget(userID)
}
