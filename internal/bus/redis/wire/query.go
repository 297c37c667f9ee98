package wire

import "encoding/binary"

// idSize is how many bytes the number of a question takes. It begins the body of every answer.
const idSize = 8

// Query is the body of a message by which a service asks itself on other nodes.
type Query struct {
	// ID is told with the answer.
	ID uint64
	// Kind says whose question it is, and Body is the question itself.
	Kind string
	Body []byte
}

// Append appends the body to dst.
func (q *Query) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, q.ID)
	return append(appendText(dst, q.Kind), q.Body...)
}

// DecodeQuery reads a body. The question is a part of it. It fails with ErrBroken.
func DecodeQuery(body []byte) (Query, error) {
	id, err := AnswerID(body)
	if err != nil {
		return Query{}, err
	}
	r := reader{rest: body[idSize:]}
	q := Query{ID: id, Kind: r.text()}
	q.Body = r.rest
	if r.broken {
		return Query{}, ErrBroken
	}
	return q, nil
}

// Reply is the body of the answer to a Query.
type Reply struct {
	ID uint64
	// OK says that there is an answer. Without it the node was heard, and could not tell.
	OK   bool
	Body []byte
}

// Append appends the body to dst.
func (r *Reply) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, r.ID)
	if r.OK {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	return append(dst, r.Body...)
}

// DecodeReply reads a body. The answer is a part of it. It fails with ErrBroken.
func DecodeReply(body []byte) (Reply, error) {
	id, err := AnswerID(body)
	if err != nil || len(body) == idSize || body[idSize] > 1 {
		return Reply{}, ErrBroken
	}
	return Reply{ID: id, OK: body[idSize] == 1, Body: body[idSize+1:]}, nil
}

// AnswerID is the number of the question that a body answers, of whatever form. It fails with ErrBroken.
func AnswerID(body []byte) (uint64, error) {
	if len(body) < idSize {
		return 0, ErrBroken
	}
	return binary.LittleEndian.Uint64(body), nil
}
