package chat

import "rolecall/internal/retention"

// Retention is the policy by which messages are deleted.
func (s *Service) Retention() retention.Policy {
	return retention.Policy{
		What: "messages", Keep: s.options.Retention, Delete: s.store.DeleteMessagesBefore,
		Now: s.options.Now, Logger: s.log,
	}
}
