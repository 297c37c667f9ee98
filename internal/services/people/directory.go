package people

import (
	"context"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/text"
)

const (
	// DefaultPage is the size of a directory page, in people.
	DefaultPage = 50
	// MaxPage is the largest directory page, in people.
	MaxPage = 500
)

// Directory returns a page of the people with whom the caller has to do, or who serve the public, each with what the caller may know of them, and
// the cursor of the next page or "", neither of which depends on others. A page of those whom a text finds may have fewer people than
// asked for though there is a next one: where many have been looked at whom the caller sees, and who are not of the role or company
// that is asked for. Who asks for a company finds its people where that is the caller's own, or the caller is an admin.
func (s *Service) Directory(
	ctx context.Context, who auth.Identity, query UserQuery, at page.Request,
) (people []Person, next string, err error) {
	if !who.Can(roles.ReadDirectory) {
		return nil, "", mayNotLook()
	}
	if query.CompanyID != "" && who.Role != roles.Admin && query.CompanyID != who.CompanyID {
		return []Person{}, "", nil // as of a company without people
	}
	sight, err := s.sight(ctx, who)
	if err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	var users []User
	if query.Text = text.Trim(query.Text); query.Text == "" {
		users, next, err = s.list(ctx, query, sight, at.Cursor, size)
	} else {
		// It passes the keys of all who are hidden and begin so: at most one for each person who asks.
		defer s.searching.Lock(who.UserID)()
		users, next, err = s.search(ctx, query, sight, at.Cursor, size)
	}
	if err != nil {
		return nil, "", err
	}
	people, err = s.seenBy(ctx, who, users)
	return people, next, err
}

// Named returns those of the people with whom the caller has to do, each with what the caller may know of them.
func (s *Service) Named(ctx context.Context, who auth.Identity, userIDs []string) ([]Person, error) {
	if !who.Can(roles.ReadDirectory) {
		return nil, mayNotLook()
	}
	users, err := s.lookUp(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	return s.seenBy(ctx, who, users)
}

// Lookup returns one person. That there is none is answered like that the caller has nothing to do with them.
func (s *Service) Lookup(ctx context.Context, who auth.Identity, userID string) (Person, error) {
	people, err := s.Named(ctx, who, []string{userID})
	switch {
	case err != nil:
		return Person{}, err
	case len(people) == 0:
		return Person{}, fault.New(fault.NotFound, "There is no such person")
	}
	return people[0], nil
}

// RoleOf returns a person's role; known is false for someone the server has never seen or been told of.
func (s *Service) RoleOf(ctx context.Context, userID string) (role roles.Role, known bool, err error) {
	users, err := s.lookUp(ctx, []string{userID})
	if err != nil || len(users) == 0 {
		return "", false, err
	}
	return users[0].Role, true, nil
}

// Identify returns somebody as was said of them last; known is false for someone of whom nothing was ever said.
func (s *Service) Identify(ctx context.Context, userID string) (who auth.Identity, known bool, err error) {
	users, err := s.lookUp(ctx, []string{userID})
	if err != nil || len(users) == 0 {
		return auth.Identity{}, false, err
	}
	user := &users[0]
	return auth.Identity{UserID: user.UserID, Username: user.Username, Role: user.Role, CompanyID: user.CompanyID}, true, nil
}

// Acquainted returns which of the people the caller may bring together with others: who is known, and a colleague of the
// caller or shares a conversation with them; all who are known where the caller is an admin. Who has blocked the caller is not.
func (s *Service) Acquainted(ctx context.Context, who auth.Identity, userIDs []string) (map[string]bool, error) {
	users, err := s.lookUp(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	conversing, err := s.conversing(ctx, who, users)
	if err != nil {
		return nil, err
	}
	blockers, err := s.blocks.BlockersOf(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	acquainted := make(map[string]bool, len(users))
	for _, user := range users {
		_, hidden := blockers[user.UserID]
		acquainted[user.UserID] = !hidden && s.closenessTo(who, user, conversing[user.UserID]) >= acquaintance
	}
	return acquainted, nil
}

// lookUp finds people as was said of them last.
func (s *Service) lookUp(ctx context.Context, userIDs []string) ([]User, error) {
	userIDs = slices.Clone(userIDs)
	slices.Sort(userIDs)
	if userIDs = slices.Compact(userIDs); len(userIDs) == 0 { // no ids would be no condition
		return nil, nil
	}
	users, err := s.seen.find(ctx, userIDs)
	if err != nil || len(users) == len(userIDs) {
		return users, err
	}
	found := make(map[string]bool, len(users))
	for i := range users {
		found[users[i].UserID] = true
	}
	here, _ := s.amongKnown(userIDs) // of whom there was no room to be written down, perhaps
	return append(users, slices.DeleteFunc(here, func(user User) bool { return found[user.UserID] || user.Role == "" })...), nil
}

// find looks people up who are online, as their tokens say who they are: those who are here in memory.
// They are in no particular order.
func (s *Service) find(ctx context.Context, userIDs []string) ([]User, error) {
	userIDs = slices.Clone(userIDs)
	slices.Sort(userIDs)
	users, others := s.amongKnown(slices.Compact(userIDs))
	if len(others) == 0 { // no ids would be no condition
		return users, nil
	}
	stored, err := s.seen.find(ctx, others)
	return append(users, stored...), err
}

// amongKnown finds those who are here. The others are on other nodes, or nowhere.
func (s *Service) amongKnown(userIDs []string) (here []User, others []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	here = make([]User, 0, len(userIDs))
	for _, userID := range userIDs {
		if k := s.known[userID]; k != nil && k.latest.Role != "" {
			here = append(here, k.user())
		} else {
			others = append(others, userID)
		}
	}
	return here, others
}

// conversing returns which of the users share a conversation with somebody. What an admin may know does not follow from
// that, nor what one may know of oneself.
func (s *Service) conversing(ctx context.Context, who auth.Identity, users []User) (map[string]bool, error) {
	var others []string
	for _, user := range users {
		if s.closenessTo(who, user, false) < colleague {
			others = append(others, user.UserID)
		}
	}
	if len(others) == 0 {
		return nil, nil
	}
	return s.conversations.Among(ctx, who.UserID, others)
}

// seenBy are users as somebody sees them.
func (s *Service) seenBy(ctx context.Context, who auth.Identity, users []User) ([]Person, error) {
	userIDs := make([]string, len(users))
	for i, user := range users {
		userIDs[i] = user.UserID
	}
	online, err := s.whoIsOnline(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	conversing, err := s.conversing(ctx, who, users)
	if err != nil {
		return nil, err
	}
	blockers, err := s.blocks.BlockersOf(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	people := make([]Person, 0, len(users))
	for _, user := range users {
		if since, hidden := blockers[user.UserID]; hidden {
			user, online[user.UserID] = user.asHidden(since), false
		}
		if how := s.closenessTo(who, user, conversing[user.UserID]); how > stranger {
			people = append(people, user.seenBy(how, online[user.UserID]))
		}
	}
	return people, nil
}

func mayNotLook() error { return fault.New(fault.Forbidden, "This role cannot look people up") }
