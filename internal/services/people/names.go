package people

import (
	"context"

	"rolecall/internal/auth"
)

// Usernames returns what those of the people are called with whom the caller has to do, or who serve the public, whatever the
// caller may do with the directory. Of others it says no more than of ids that are nobody's.
func (s *Service) Usernames(ctx context.Context, who auth.Identity, userIDs []string) (map[string]string, error) {
	users, err := s.find(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	conversing, err := s.conversing(ctx, who, users)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(users))
	for i := range users {
		if user := &users[i]; s.closenessTo(who, *user, conversing[user.UserID]) > stranger {
			names[user.UserID] = user.Username
		}
	}
	return names, nil
}
