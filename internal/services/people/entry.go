package people

import (
	"context"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/text"
)

// Entry is what an admin says of a person, who may not have been here yet.
type Entry struct {
	UserID   string     `json:"id" validate:"required,userid"`
	Username string     `json:"username" validate:"required,max=128"`
	Role     roles.Role `json:"role" validate:"required,oneof=admin driver company provider vendor"`
	// CompanyID is the company of a driver or company user; roles.DefaultCompany where none is named. Others have none.
	CompanyID string `json:"companyId" validate:"omitempty,userid"`
}

// RefuseUnknown tells the decoder that a company by another name is not the default one.
func (Entry) RefuseUnknown() {}

// Entered is a person as the directory has them now.
type Entered struct {
	Person
	Written Written `json:"-"`
}

// IsNew reports whether nobody had said anything of the person before.
func (e Entered) IsNew() bool { return e.Written == Created }

// Put says who somebody is: what was said before is forgotten, and a token that is used later says it anew. It changes nothing
// of what the person may do now, which their token says. It fails with forbidden, and invalid_payload for a name that nobody
// sees, one with control characters, and a company of a role that belongs to none.
func (s *Service) Put(ctx context.Context, who auth.Identity, entry Entry) (Entered, error) {
	if !who.Can(roles.ManageDirectory) {
		return Entered{}, mayNotManage()
	}
	user, err := entry.user(s.options.Now().UnixMilli())
	if err != nil {
		return Entered{}, err
	}
	written, err := s.write(ctx, who, []User{user}, func(int) string { return describe(user) })
	if err != nil {
		return Entered{}, err
	}
	person, err := s.Lookup(ctx, who, user.UserID)
	return Entered{person, written[0]}, err
}

// write has the store keep what an admin says of people, behind what was seen of them before, and what the audit has of each.
func (s *Service) write(ctx context.Context, who auth.Identity, users []User, detail func(i int) string) ([]Written, error) {
	lines := make([]audit.Line, len(users))
	for i := range users {
		lines[i] = audit.Line{
			At: instant.Stamp(s.options.Now().UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
			Action: audit.WriteUser, Target: users[i].UserID, Detail: detail(i),
		}
	}
	s.seen.writeInTime(ctx)
	return s.seen.store.WriteUsers(ctx, users, lines)
}

// describe is what the audit says of somebody.
func describe(user User) string {
	if user.CompanyID == "" {
		return fmt.Sprintf("%s, %s", user.Username, user.Role)
	}
	return fmt.Sprintf("%s, %s of %s", user.Username, user.Role, user.CompanyID)
}

// user is the person as of a moment, in Unix milliseconds.
func (e Entry) user(now int64) (User, error) {
	name := text.Trim(e.Username)
	switch {
	case text.IsBlank(name):
		return User{}, fault.Invalid("username", "username must have something that a reader can see")
	case text.HasControl(name):
		return User{}, fault.Invalid("username", "username must have no line ends or other control characters")
	case e.CompanyID != "" && !e.Role.HasTenant():
		return User{}, fault.Invalid("companyId", fmt.Sprintf("The role %s belongs to no company", e.Role))
	}
	company := e.CompanyID
	if company == "" && e.Role.HasTenant() {
		company = roles.DefaultCompany
	}
	return User{UserID: e.UserID, Username: name, Role: e.Role, CompanyID: company, SaidAt: now}, nil
}

// Rewrite returns people as they are to be stored where it was said before who they are, and what becomes of each: what is said
// now stands, also beside what a faster clock has said.
func Rewrite(users []User, before map[string]User) (newest []User, written []Written) {
	newest, written = make([]User, len(users)), make([]Written, len(users))
	for i, user := range users {
		was, known := before[user.UserID]
		user.SaidAt, user.LastSeen = max(user.SaidAt, was.SaidAt), was.LastSeen
		newest[i] = user
		switch {
		case !known:
			written[i] = Created
		case user.IsSameAs(was):
			written[i] = Unchanged
		default:
			written[i] = Updated
		}
	}
	return newest, written
}

func mayNotManage() error { return fault.New(fault.Forbidden, "Only admins say who others are") }
