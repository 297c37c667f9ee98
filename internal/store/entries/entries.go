// Package entries reads and writes the entries of the logs of groups as they are kept among the messages, in either database.
package entries

import (
	"encoding/json"
	"fmt"

	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
)

// Encode is what is kept of an entry.
func Encode(entry *groups.Entry) ([]byte, error) {
	kept, err := json.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	return kept, nil
}

// Add makes a message that was read, and has no author, the entry that was kept with it.
func Add(m *chat.Message, kept []byte) error {
	var entry groups.Entry
	if err := json.Unmarshal(kept, &entry); err != nil {
		return fmt.Errorf("decode entry: %w", err)
	}
	m.Kind, m.System, m.UserID, m.Text = groups.KindSystem, &entry, entry.By, entry.Text(m.Username)
	return nil
}
