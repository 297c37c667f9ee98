package chatstore

import (
	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/chat"
	"rolecall/internal/store/mentioned"
)

// mentions are for whom messages count as ones that mention them: somebody, a room and the seq of a message each.
type mentions struct {
	userIDs     []string
	rooms, seqs []int64
}

// add adds whom a message mentions: nobody where it is its author's alone.
func (m *mentions) add(message *chat.Message, room int64) {
	if message.Alone != chat.Shared {
		return
	}
	for _, userID := range mentioned.Counted(message.Mentions, message.UserID) {
		m.userIDs, m.rooms, m.seqs = append(m.userIDs, userID), append(m.rooms, room), append(m.seqs, message.Seq)
	}
}

func (m *mentions) queue(wanted *pgx.Batch) {
	if len(m.userIDs) > 0 {
		wanted.Queue(insertMentions, m.userIDs, m.rooms, m.seqs)
		wanted.Queue(insertMentioned, m.userIDs, m.rooms, m.seqs)
	}
}

// queueMentions adds whom the messages of the batch mention.
func (b *batch) queueMentions(wanted *pgx.Batch) {
	var all mentions
	for _, m := range b.added {
		all.add(m.Message, m.room)
	}
	all.queue(wanted)
}
