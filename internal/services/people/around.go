package people

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

const (
	// maxListed and maxListBytes bound presence:list.
	maxListed    = 500
	maxListBytes = 32 << 10
	// maxRolls is how many rolls are remembered, which takes some 5 MB where all are as long as may be.
	maxRolls = 64
	// maxGreetings is how often a greeting is sent anew where something was told meanwhile.
	maxGreetings = 5
)

// errUnsettled says that a list may lack somebody, as much is told of those who come and go.
var errUnsettled = errors.New("others come and go faster than they can be listed")

// listed is somebody of a presence:list.
type listed struct {
	Person
	encoded []byte
}

// roll is who is online of all who stand in a room, up to the bounds of presence:list, as colleagues see them. One is made
// for all who connect until the next round that tells the room of somebody: they hear of what is not in it.
type roll struct {
	mu   sync.Mutex
	made time.Time // zero while it is not
	on   []listed
}

// Greet sends presence:list. Who listens before it is called lacks nobody: whatever is told while the list is made and
// sent, of whom the client may be shown an older state behind it, has it sent anew. Where that happens again and again it fails,
// and what was sent may lack somebody.
func (s *Service) Greet(ctx context.Context, who auth.Identity, send func(event string, payload any) error) error {
	for range maxGreetings {
		before := s.told.Load()
		around, err := s.around(ctx, who)
		if err != nil {
			return err
		}
		if err := send(EventList, encodeList(around)); err != nil {
			return err
		}
		if s.told.Load() == before {
			return nil
		}
	}
	return errUnsettled
}

// encodeList is the JSON array of what has been encoded once for many.
func encodeList(around []listed) json.RawMessage {
	size := len("[]")
	for i := range around {
		size += len(around[i].encoded) + 1
	}
	list := append(make([]byte, 0, size), '[')
	for i := range around {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, around[i].encoded...)
	}
	return append(list, ']')
}

// Around lists the caller, and those whose coming and going the caller is told of: for admins everyone, for others their
// conversations and their company; online people only, at most 500 of them and 32 KiB. It costs what those cost, however
// many there are who are not online.
func (s *Service) Around(ctx context.Context, who auth.Identity) ([]Person, error) {
	around, err := s.around(ctx, who)
	if err != nil {
		return nil, err
	}
	people := make([]Person, len(around))
	for i := range around {
		people[i] = around[i].Person
	}
	return people, nil
}

func (s *Service) around(ctx context.Context, who auth.Identity) ([]listed, error) {
	if !who.Can(roles.ReadDirectory) {
		return nil, mayNotLook()
	}
	first, err := s.selfAndPeers(ctx, who)
	if err != nil {
		return nil, err
	}
	colleagues, err := s.colleagues(ctx, who)
	if err != nil {
		return nil, err
	}
	twice := make(map[string]bool, len(first))
	for i := range first {
		twice[first[i].UserID] = true
	}
	around := slices.Grow(first, min(len(colleagues), maxListed))
	size := 0
	for i := range around {
		size += len(around[i].encoded)
	}
	for i := range colleagues {
		if size += len(colleagues[i].encoded); len(around) == maxListed || size > maxListBytes {
			break
		}
		if !twice[colleagues[i].UserID] {
			around = append(around, colleagues[i])
		}
	}
	return s.hide(ctx, who, around)
}

// selfAndPeers lists the caller, and who of their conversations is online.
func (s *Service) selfAndPeers(ctx context.Context, who auth.Identity) ([]listed, error) {
	users, online := []User{s.userOf(who)}, map[string]bool{who.UserID: true}
	if who.Role != roles.Admin { // an admin hears of everybody alike
		peers, err := s.conversations.Peers(ctx, []string{who.UserID}, maxPeers)
		if err != nil {
			return nil, err
		}
		found, err := s.onlineUsers(ctx, peers[who.UserID])
		if err != nil {
			return nil, err
		}
		users = append(users, found...)
		for _, user := range found {
			online[user.UserID] = true
		}
	}
	people := make([]Person, len(users))
	for i, user := range users {
		people[i] = user.seenBy(s.closenessTo(who, user, true), true)
	}
	return enlist(people)
}

// userOf is the caller as the directory knows them, or will in a moment.
func (s *Service) userOf(who auth.Identity) User {
	user := User{UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.known[who.UserID]; k != nil {
		user.LastSeen = k.seen
	} else {
		user.LastSeen = s.options.Now().UnixMilli()
	}
	return user
}

// onlineUsers looks up those of the people who are online.
func (s *Service) onlineUsers(ctx context.Context, userIDs []string) ([]User, error) {
	if len(userIDs) == 0 {
		return nil, nil
	}
	online, err := s.whoIsOnline(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	there := make([]string, 0, len(userIDs))
	for _, userID := range userIDs {
		if online[userID] {
			there = append(there, userID)
		}
	}
	return s.findOnline(ctx, there)
}

// colleagues lists who else is online of the caller's company; of all where the caller is an admin.
func (s *Service) colleagues(ctx context.Context, who auth.Identity) ([]listed, error) {
	switch {
	case who.Role == roles.Admin:
		return s.rollOf(ctx, roles.RoleRoom(roles.Admin), roles.Everyone())
	case who.CompanyID != "":
		room := roles.CompanyRoom(who.CompanyID)
		return s.rollOf(ctx, room, []roles.Room{room})
	default:
		return nil, nil
	}
}

// rollOf returns the roll that is told to an audience, of who stands in the rooms. It must not be changed.
func (s *Service) rollOf(ctx context.Context, audience roles.Room, rooms []roles.Room) ([]listed, error) {
	s.mu.Lock()
	r, known := s.rolls.Get(audience)
	if !known {
		r = &roll{}
		s.rolls.Add(audience, r)
	}
	s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.made.IsZero() && time.Since(r.made) < s.options.Every { // what another node tells may be missed
		return r.on, nil
	}
	on, err := s.callRoll(ctx, rooms)
	if err != nil {
		return nil, err
	}
	r.on, r.made = on, time.Now()
	return on, nil
}

// callRoll lists who is online, those who have just connected and will be told of included: whoever else uses the roll may not
// hear of them any more.
func (s *Service) callRoll(ctx context.Context, rooms []roles.Room) ([]listed, error) {
	userIDs, err := s.sockets.UsersIn(ctx, maxListed, rooms...)
	if err != nil {
		return nil, fmt.Errorf("who is online: %w", err)
	}
	userIDs = s.withLeaving(userIDs, rooms)
	users, err := s.findOnline(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(users, func(a, b User) int { return cmp.Compare(a.UserID, b.UserID) })
	people := make([]Person, len(users))
	for i, user := range users {
		people[i] = user.seenBy(colleague, true)
	}
	return enlist(people)
}

func (s *Service) knows(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[userID] != nil
}

// forgetRolls forgets the rolls of the audiences that are about to be told of changes.
func (s *Service) forgetRolls(changes []change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rolls.Remove(roles.RoleRoom(roles.Admin))
	for i := range changes {
		if companyID := changes[i].who.CompanyID; companyID != "" {
			s.rolls.Remove(roles.CompanyRoom(companyID))
		}
	}
}

// enlist encodes people, as many as there is room for.
func enlist(people []Person) ([]listed, error) {
	list := make([]listed, 0, len(people))
	size := 0
	for _, person := range people {
		encoded, err := jsonv2.Marshal(person)
		if err != nil {
			return nil, fmt.Errorf("encode person: %w", err)
		}
		if size += len(encoded); len(list) == maxListed || size > maxListBytes {
			break
		}
		list = append(list, listed{person, encoded})
	}
	return list, nil
}
