package people

import "context"

// Usernames returns what people are called, without those the server has never seen or been told of. Who may know it is
// for the caller to say.
func (s *Service) Usernames(ctx context.Context, userIDs []string) (map[string]string, error) {
	users, err := s.find(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(users))
	for i := range users {
		names[users[i].UserID] = users[i].Username
	}
	return names, nil
}
