package notices

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// Between nodes a message is a hint: what has changed is read from the store, where the order of the numbers is that of the
// commits. So it does not matter in which order hints come, how often, or whether, as long as a loss is told of.
const (
	// kindChanged tells that notices have changed.
	kindChanged = "notices"
	// kindRead tells that somebody has read some.
	kindRead = "notices.read"

	// maxFollowed is how many changes are read at a time.
	maxFollowed = 32
	// failedFollowWait is how long the store is left alone when it has not told what has changed.
	failedFollowWait = time.Second
)

// Nodes are other servers over the same store.
type Nodes interface {
	Publish(ctx context.Context, message bus.Message)
	Handle(kind string, handler func(ctx context.Context, message bus.Message))
	Lost(f func(ctx context.Context))
}

// reading is a message of kindRead.
type reading struct {
	UserID    string     `json:"userId"`
	Role      roles.Role `json:"role"`
	CompanyID string     `json:"companyId,omitempty"`
	UpTo      int64      `json:"upTo"`
}

func (s *Service) hearNodes() {
	s.nodes.Handle(kindChanged, func(context.Context, bus.Message) { s.lookBehind() })
	s.nodes.Handle(kindRead, s.hearReading)
	s.nodes.Lost(func(context.Context) {
		s.lookBehind()
		if s.online != nil { // others may have moved the marks of anybody
			s.recounts.add(roles.Everyone(), math.MaxInt64)
		}
	})
}

// lookBehind has what has changed looked for.
func (s *Service) lookBehind() {
	select {
	case s.behind <- struct{}{}:
	default: // about to be done
	}
}

// follow tells what others have changed, until ctx ends.
func (s *Service) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.behind:
		}
		err := s.tellBehind(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		s.log.ErrorContext(ctx, "changes of notices not read", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(failedFollowWait):
			s.lookBehind()
		}
	}
}

// tellBehind tells what the store has beyond what was told last.
func (s *Service) tellBehind(ctx context.Context) error {
	s.following.Lock()
	defer s.following.Unlock()
	return s.tellBehindLocked(ctx)
}

// catchUp is tellBehind for somebody who has just come, and may know from another node of what this one has still to tell. Many
// who come at once share what it costs.
func (s *Service) catchUp(ctx context.Context) error {
	begun := s.looks.Load()
	s.following.Lock()
	defer s.following.Unlock()
	if s.looked > begun {
		return nil // by a look that was begun since
	}
	return s.tellBehindLocked(ctx)
}

func (s *Service) tellBehindLocked(ctx context.Context) error {
	look := s.looks.Add(1)
	for {
		changes, err := s.store.ChangesSince(ctx, s.lastTold(), maxFollowed)
		if err != nil {
			return err
		}
		for i := range changes {
			s.tell(ctx, &changes[i])
		}
		if len(changes) < maxFollowed {
			s.looked = look
			return nil
		}
	}
}

// tellCommitted tells what was committed here, behind what others have committed before, and lets them know. Others are not
// waited for; where the store does not say what they have committed, all of it is told when it does.
func (s *Service) tellCommitted(ctx context.Context, changes []Change, changed []Changed) {
	s.nodes.Publish(ctx, bus.Message{Kind: kindChanged})
	if s.tellNext(ctx, changes, changed) {
		return
	}
	if err := s.tellBehind(ctx); err != nil {
		s.log.ErrorContext(ctx, "changes of notices not read", "error", err)
		s.lookBehind()
	}
}

// tellNext tells what was committed here if nothing else has to be told before, and reports whether all of it is told.
func (s *Service) tellNext(ctx context.Context, changes []Change, changed []Changed) bool {
	s.following.Lock()
	defer s.following.Unlock()
	for i := range changed {
		switch told := s.lastTold(); {
		case changed[i].Seq <= told: // told, or nothing to tell
		case changed[i].Seq > told+1:
			return false
		default:
			s.tell(ctx, pastOf(&changes[i], &changed[i]))
		}
	}
	return true
}

// publishReading lets the other nodes on which somebody is know what was read.
func (s *Service) publishReading(ctx context.Context, who auth.Identity, upTo int64) {
	if s.nodes == nil {
		return
	}
	body, err := json.Marshal(reading{UserID: who.UserID, Role: who.Role, CompanyID: who.CompanyID, UpTo: upTo})
	if err != nil { // of strings and a number
		s.log.ErrorContext(ctx, "reading not published", "user", who.UserID, "error", err)
		return
	}
	s.nodes.Publish(ctx, bus.Message{Kind: kindRead, Rooms: []roles.Room{roles.UserRoom(who.UserID)}, Body: body})
}

// hearReading has the sockets that somebody has here told how many notices are left.
func (s *Service) hearReading(ctx context.Context, message bus.Message) {
	var read reading
	if err := json.Unmarshal(message.Body, &read); err != nil || read.UserID == "" {
		s.log.WarnContext(ctx, "what another node has told of a reading was not taken", "node", message.Node, "error", err)
		return
	}
	s.recounts.addReading(read)
}
