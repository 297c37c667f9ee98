package chat

import (
	"context"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
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

// write puts a batch on disk, notes the outcomes and returns what is to be told. What was refused as a group has other
// members than were known is tried again. Once something is on disk, an error is the outcome of the rest alone.
func (s *Service) write(ctx context.Context, batch []submission, outcomes []outcome) ([]order.Delivery, error) {
	places := make([]int, len(batch))
	for i := range places {
		places[i] = i
	}
	var deliveries []order.Delivery
	for try := 0; ; try++ {
		told, outdated, err := s.writeOnce(ctx, batch, places, outcomes)
		deliveries = append(deliveries, told...)
		switch {
		case err != nil && try == 0:
			return nil, err
		case err != nil:
			s.log.ErrorContext(ctx, "changes not stored", "changes", len(places), "error", err)
			refuse(outcomes, places, fault.Down(err))
			return deliveries, nil
		case len(outdated) == 0:
			return deliveries, nil
		case try == maxOutdated:
			refuse(outcomes, outdated, fault.Busy())
			return deliveries, nil
		}
		places = outdated
	}
}

func refuse(outcomes []outcome, places []int, why error) {
	for _, place := range places {
		outcomes[place] = outcome{refused: why}
	}
}

// writeOnce puts those changes of a batch on disk that are at the given places, and returns the places of those that are
// outdated. Whether somebody may be in a room, and who hears of it, is settled here, where the room's changes come one after
// the other: what was found when the change was asked for may no longer hold.
func (s *Service) writeOnce(
	ctx context.Context, batch []submission, places []int, outcomes []outcome,
) (told []order.Delivery, outdated []int, err error) {
	changes := make([]Change, 0, len(places))
	asked := make([]int, 0, len(places)) // the places of the changes
	talks := make([]conversation, 0, len(places))
	for _, place := range places {
		submitted := batch[place]
		talk, err := s.mayMake(ctx, submitted.who, submitted.change)
		if err != nil {
			outcomes[place].refused = err
			continue
		}
		changes = append(changes, submitted.change.among(talk.since))
		asked = append(asked, place)
		talks = append(talks, talk)
	}
	applied, err := s.store.Apply(ctx, changes)
	if err != nil {
		return nil, nil, err
	}
	s.quote(ctx, applied)
	told = make([]order.Delivery, 0, len(applied))
	for i, made := range applied {
		place := asked[i]
		switch {
		case made.Outdated:
			s.groups.MembersChanged(changes[i].ChatRoom())
			outdated = append(outdated, place)
		case made.Refused != nil:
			outcomes[place].refused = made.Refused
		case made.Replayed:
			outcomes[place] = outcome{applied: made, refused: changes[i].conflict(made)}
			told = append(told, order.Delivery{Room: made.Room, Revision: made.Revision}) // if it ever was
		default:
			outcomes[place].applied = made
			if _, isMessage := changes[i].(Append); isMessage {
				s.said.Add(1)
			}
			if made.IsFirst {
				s.people.Met(made.UserID, talks[i].members)
			}
			told = append(told, deliveriesOf(changes[i], made, talks[i], batch[place].who)...)
		}
	}
	return told, outdated, nil
}

// Deliveries are how the people of a room are told of a message: the group is the one that the room is, with the members of a direct
// room as its own, and without any for an open room.
func Deliveries(message Message, group groups.Group) []order.Delivery {
	talk := inGroup(group)
	talk.room = message.Room
	made := Applied{Message: message, IsAlone: message.Alone == Unshown}
	return deliveriesOf(Append{}, made, talk, auth.Identity{UserID: message.UserID})
}

// deliveriesOf are how those of a conversation are told of a change: each socket once, those of whoever has caused it perhaps
// otherwise than the rest, and those who do not see the message that is replied to without it.
func deliveriesOf(change Change, made Applied, talk conversation, causer auth.Identity) []order.Delivery {
	audience := talk.audience(causer.UserID)
	_, isMessage := change.(Append)
	if !isMessage {
		audience = talk.audienceOf(causer.UserID, made.Seq)
	}
	if len(audience) == 0 { // a group that nobody is left in, or nobody who sees the message
		return []order.Delivery{{Room: made.Room, Revision: made.Revision}}
	}
	var blind []roles.Room
	if isMessage && made.Quoted != nil {
		for _, member := range talk.group.Blind(made.Quoted.Seq) {
			blind = append(blind, roles.UserRoom(member))
		}
	}
	told := change.told(made)
	if made.IsAlone {
		return aloneDeliveries(told, made, kindOf(change), causer.UserID, audience)
	}
	all := order.Delivery{Room: made.Room, Revision: made.Revision, Event: told.event, Payload: told.payload, To: audience}
	deliveries := make([]order.Delivery, 1, 3)
	if told.toCauser != nil {
		own := all
		own.Payload, own.To = told.toCauser, []roles.Room{roles.UserRoom(causer.UserID)}
		deliveries = append(deliveries, own)
		all.Except = own.To
	}
	if len(blind) > 0 {
		some := all
		message := made.ToldTo("")
		message.Quoted = nil
		some.Payload, some.To = message, blind
		deliveries = append(deliveries, some)
		all.Except = append(slices.Clone(all.Except), blind...)
	}
	deliveries[0] = all
	return deliveries
}

// kindOf is the kind of a change of a message, "" for other changes.
func kindOf(change Change) ChangeKind {
	if of, is := change.(MessageChange); is {
		return of.Kind()
	}
	return ""
}
