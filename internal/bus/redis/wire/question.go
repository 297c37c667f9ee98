package wire

import "encoding/binary"

// Question is the body of a message that asks other nodes for the number of sockets in all of the message's rooms, and of its
// answer.
type Question struct {
	// ID is told with the answer, and Number is that.
	ID, Number uint64
}

// Append appends the body to dst.
func (q *Question) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, q.ID)
	return binary.LittleEndian.AppendUint64(dst, q.Number)
}

// DecodeQuestion reads a body. It fails with ErrBroken.
func DecodeQuestion(body []byte) (Question, error) {
	const numbers = 16
	if len(body) != numbers {
		return Question{}, ErrBroken
	}
	return Question{ID: binary.LittleEndian.Uint64(body), Number: binary.LittleEndian.Uint64(body[8:])}, nil
}
