package wire

import "encoding/binary"

// Question is the body of a message that asks other nodes for users or the number of sockets in the message's rooms, and of
// its answer.
type Question struct {
	// ID is told with the answer.
	ID uint64
	// Limit bounds the answer's users, and Number is the answer's number of sockets.
	Limit, Number uint64
	Users         []string
}

// Append appends the body to dst.
func (q *Question) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, q.ID)
	dst = binary.LittleEndian.AppendUint64(dst, q.Limit)
	dst = binary.LittleEndian.AppendUint64(dst, q.Number)
	return appendTexts(dst, q.Users)
}

// DecodeQuestion reads a body. It fails with ErrBroken.
func DecodeQuestion(body []byte) (Question, error) {
	const numbers = 24
	if len(body) < numbers {
		return Question{}, ErrBroken
	}
	r := reader{rest: body[numbers:]}
	q := Question{
		ID: binary.LittleEndian.Uint64(body), Limit: binary.LittleEndian.Uint64(body[8:]),
		Number: binary.LittleEndian.Uint64(body[16:]), Users: r.texts(),
	}
	if r.broken || len(r.rest) > 0 {
		return Question{}, ErrBroken
	}
	return q, nil
}
