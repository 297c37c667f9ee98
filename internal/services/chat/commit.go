package chat

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
)

// submission is a change that somebody asks for.
type submission struct {
	who    auth.Identity
	change Change
}

// outcome is what has become of a submission.
type outcome struct {
	applied Applied
	// refused says why the change was not made, nil where it was.
	refused error
}

// commit makes a batch of changes and tells of them. An error means that none was made.
func (s *Service) commit(ctx context.Context, batch []submission) ([]outcome, error) {
	rooms := make([]roles.ChatRoom, len(batch))
	for i := range batch {
		rooms[i] = batch[i].change.ChatRoom()
	}
	outcomes := make([]outcome, len(batch))
	err := s.order.Commit(ctx, rooms, func() ([]order.Delivery, error) { return s.write(ctx, batch, outcomes) })
	if err != nil {
		s.log.ErrorContext(ctx, "changes not stored", "changes", len(batch), "error", err)
		return nil, err
	}
	return outcomes, nil
}

// write puts a batch on disk, notes the outcomes and returns what is to be told. Whether somebody may be in a room, and
// who hears of it, is settled here, where the room's changes come one after the other: what was found when the change was
// asked for may no longer hold.
func (s *Service) write(ctx context.Context, batch []submission, outcomes []outcome) ([]order.Delivery, error) {
	changes := make([]Change, 0, len(batch))
	places := make([]int, 0, len(batch)) // of the changes in the batch
	audiences := make([][]roles.Room, 0, len(batch))
	for i, submitted := range batch {
		talk, err := s.mayBeIn(ctx, submitted.who, submitted.change.ChatRoom())
		if err != nil {
			outcomes[i].refused = err
			continue
		}
		changes = append(changes, submitted.change)
		places = append(places, i)
		audiences = append(audiences, talk.audience(submitted.who.UserID))
	}
	applied, err := s.store.Apply(ctx, changes)
	if err != nil {
		return nil, err
	}
	deliveries := make([]order.Delivery, 0, len(applied))
	for i, made := range applied {
		outcomes[places[i]].applied = made
		if made.Replayed {
			outcomes[places[i]].refused = changes[i].conflict(made)
			continue
		}
		deliveries = append(deliveries, deliveriesOf(changes[i], made, audiences[i], batch[places[i]].who)...)
	}
	return deliveries, nil
}

// deliveriesOf are how an audience is told of a change: each socket once, those of whoever has caused it perhaps otherwise
// than the rest.
func deliveriesOf(change Change, made Applied, audience []roles.Room, causer auth.Identity) []order.Delivery {
	told := change.told(made)
	all := order.Delivery{Room: made.Room, Revision: made.Revision, Event: told.event, Payload: told.payload, To: audience}
	if told.toCauser == nil {
		return []order.Delivery{all}
	}
	own := all
	own.Payload, own.To = told.toCauser, []roles.Room{roles.UserRoom(causer.UserID)}
	all.Except = own.To
	return []order.Delivery{all, own}
}
