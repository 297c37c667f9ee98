package people

import (
	"cmp"
	"context"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// maxPartners is how many of those with whom somebody shares a conversation they find in the directory by that alone.
const maxPartners = 10_000

// sight is whom somebody sees, as closenessTo says of each; nil where they see everybody.
func (s *Service) sight(ctx context.Context, who auth.Identity) (*Sight, error) {
	if who.Role == roles.Admin {
		return nil, nil //nolint:nilnil // a sight that leaves out nobody
	}
	partners, err := s.conversations.Peers(ctx, []string{who.UserID}, maxPartners)
	if err != nil {
		return nil, err
	}
	seen := &Sight{CompanyID: who.CompanyID, IDs: append(slices.Clone(partners[who.UserID]), who.UserID)}
	for _, role := range roles.All() {
		if s.reaches(who.Role, role) {
			seen.Roles = append(seen.Roles, role)
		}
	}
	return seen, nil
}

// reaches reports whether somebody of a role sees people of another by that alone.
func (s *Service) reaches(from, to roles.Role) bool {
	return s.options.Finding.Finds(to) && s.options.Messaging.Allows(from, to, false)
}

// narrow returns queries that together find whom a query does, but for those who are not seen. Each is a range of an index, so
// that nothing is looked at to be left out.
func (s *Sight) narrow(query UserQuery) []UserQuery {
	if s == nil {
		return []UserQuery{query}
	}
	var queries []UserQuery
	if s.CompanyID != "" && (query.CompanyID == "" || query.CompanyID == s.CompanyID) {
		ofCompany := query
		ofCompany.CompanyID = s.CompanyID
		queries = append(queries, ofCompany)
	}
	for _, role := range s.Roles {
		if query.Role == "" || query.Role == role {
			ofRole := query
			ofRole.Role = role
			queries = append(queries, ofRole)
		}
	}
	named := query
	named.IDs = s.IDs
	return append(queries, named)
}

// list is a page of the directory. Whoever is not seen is left out before the page is cut, so that neither it nor its cursor
// depends on them.
func (s *Service) list(ctx context.Context, query UserQuery, sight *Sight, cursor string, size int) (users []User, next string, err error) {
	after, err := page.Users.ParseText(cursor)
	if err != nil {
		return nil, "", err
	}
	for _, narrow := range sight.narrow(query) {
		some, err := s.seen.users(ctx, narrow, after, size+1)
		if err != nil {
			return nil, "", err
		}
		users = append(users, some...)
	}
	slices.SortFunc(users, func(a, b User) int { return cmp.Compare(a.UserID, b.UserID) })
	users = slices.CompactFunc(users, func(a, b User) bool { return a.UserID == b.UserID })
	size = page.Fit(users, size, userBytes)
	users, next = page.Cut(users, size, func(last User) string { return page.Users.Text(last.UserID) })
	return users, next, nil
}

// userBytes is about what a person takes as JSON.
func userBytes(user User) int {
	const rest = 120 // names of members, the role, times
	return rest + len(user.UserID) + len(user.CompanyID) + page.TextBytes(user.Username)
}

// search is a page of those whom a text finds, in the order of the keys by which it does.
func (s *Service) search(ctx context.Context, query UserQuery, sight *Sight, cursor string, size int) (users []User, next string, err error) {
	after, err := page.FoundUsers.ParseText(cursor)
	if err != nil {
		return nil, "", err
	}
	query.Sight = sight
	found, next, err := s.seen.search(ctx, query, after, size)
	if err != nil {
		return nil, "", err
	}
	if fits := page.Fit(found, size, func(f Found) int { return userBytes(f.User) }); fits < len(found) {
		found, next = found[:fits], found[fits-1].Place
	}
	users = make([]User, len(found))
	for i := range found {
		users[i] = found[i].User
	}
	if next != "" {
		next = page.FoundUsers.Text(next)
	}
	return users, next, nil
}
