package atrest

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
)

// What stands in the place of a text that cannot be read.
const (
	KeyMissing = "[This message cannot be read: the key that it was encrypted with is missing]"
	NotAsKept  = "[This message cannot be read: it is not as it was stored]"
)

// Kept is what is stored of what a message says: Text and Said as they are where KeyID is "", else both in Text.
type Kept struct {
	KeyID string
	Text  string
	// Said is a digest of what it said before, 0 for none. It tells who can guess the text whether they have, and is encrypted
	// with it.
	Said int64
}

// Messages encrypts what messages say.
type Messages struct {
	keys *Keys
	log  *slog.Logger
	told sync.Map // by the id of a key that is missing
}

// NewMessages returns Messages with these keys; a nil log discards.
func NewMessages(keys *Keys, log *slog.Logger) *Messages {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Messages{keys: keys, log: log}
}

// Keys are those in use, nil for none.
func (m *Messages) Keys() *Keys { return m.keys }

// messagePlace is where a message belongs.
func messagePlace(roomID, messageID string) string {
	return "message\x00" + roomID + "\x00" + messageID
}

// Keep is what to store of a message.
func (m *Messages) Keep(roomID, messageID, text string, said int64) Kept {
	if m.keys.First() == "" || text == "" && said == 0 {
		return Kept{Text: text, Said: said}
	}
	whole := string(binary.BigEndian.AppendUint64(nil, uint64(said))) + text
	keyID, sealed := m.keys.Seal(messagePlace(roomID, messageID), whole)
	return Kept{KeyID: keyID, Text: sealed}
}

// Open is what a message says. It fails with ErrNoKey and ErrForeign.
func (m *Messages) Open(roomID, messageID string, kept Kept) (text string, said int64, err error) {
	if kept.KeyID == "" {
		return kept.Text, kept.Said, nil
	}
	whole, err := m.keys.Open(messagePlace(roomID, messageID), kept.KeyID, kept.Text)
	if err != nil {
		return "", 0, err
	}
	if len(whole) < 8 {
		return "", 0, ErrForeign
	}
	return whole[8:], int64(binary.BigEndian.Uint64([]byte(whole))), nil
}

// Read is Open for those who are to see something whatever is wrong: the log says what it is, once for each key that is missing.
func (m *Messages) Read(roomID, messageID string, kept Kept) (text string, said int64) {
	text, said, err := m.Open(roomID, messageID, kept)
	switch {
	case err == nil:
		return text, said
	case !m.keys.Has(kept.KeyID):
		if _, again := m.told.LoadOrStore(kept.KeyID, true); !again {
			m.log.ErrorContext(context.Background(), "messages cannot be read: a key is missing from the encryption keys", "key", kept.KeyID)
		}
		return KeyMissing, 0
	default:
		m.log.ErrorContext(context.Background(), "a message is not as it was stored", "room", roomID, "message", messageID, "key", kept.KeyID)
		return NotAsKept, 0
	}
}

// indexPlace is where the key of the index of messages belongs.
const indexPlace = "message index"

// IndexKey is what the index of messages is made with: a random key, which is kept encrypted by the first of the keys; all zeroes
// where texts are not encrypted. KeyID and Sealed are how it is kept.
type IndexKey struct {
	Key           [KeyBytes]byte
	KeyID, Sealed string
	// IsNew is set where the index has to be made anew with it.
	IsNew bool
	// IsMissing is set where the index can be neither read nor made anew: it was made with a key that is encrypted by one that is
	// missing, and there is no other.
	IsMissing bool
}

// IndexKey returns the key that goes on from the one that is kept.
func (m *Messages) IndexKey(keyID, sealed string) IndexKey {
	encrypts := m.keys.First() != ""
	if keyID == "" && !encrypts {
		return IndexKey{}
	}
	kept, err := m.keys.Open(indexPlace, keyID, sealed)
	switch isKept := keyID != "" && err == nil && len(kept) == KeyBytes; {
	case encrypts && isKept && keyID == m.keys.First():
		return IndexKey{Key: [KeyBytes]byte([]byte(kept)), KeyID: keyID, Sealed: sealed}
	case encrypts && isKept:
		return m.sealIndexKey(IndexKey{Key: [KeyBytes]byte([]byte(kept))})
	case encrypts:
		return m.sealIndexKey(IndexKey{Key: NewKey(), IsNew: true})
	case isKept: // nothing is encrypted any more
		return IndexKey{IsNew: true}
	}
	m.log.ErrorContext(context.Background(), "messages cannot be searched: a key is missing from the encryption keys", "key", keyID)
	return IndexKey{KeyID: keyID, Sealed: sealed, IsMissing: true}
}

func (m *Messages) sealIndexKey(k IndexKey) IndexKey {
	k.KeyID, k.Sealed = m.keys.Seal(indexPlace, string(k.Key[:]))
	return k
}

// Again is what to keep of a message in the place of what is kept, so that it is encrypted by the first of the keys, or not at all
// where that is Plain; changes is false where it is so already. It fails as Open does.
func (m *Messages) Again(roomID, messageID string, kept Kept) (again Kept, changes bool, err error) {
	if kept.KeyID == m.keys.First() || kept == (Kept{}) {
		return kept, false, nil
	}
	text, said, err := m.Open(roomID, messageID, kept)
	if err != nil {
		return kept, false, err
	}
	return m.Keep(roomID, messageID, text, said), true, nil
}

// Mark is how far the messages of a store have been gone through: numbers of its own, zero at the beginning.
type Mark [2]int64

// Progress is what has become of some messages.
type Progress struct {
	// Looked is how many there were, Changed how many of them are kept by the first key from now on, and Unreadable how many stay
	// as they were, as they cannot be read.
	Looked, Changed, Unreadable int
	// Next is where to go on.
	Next Mark
}
