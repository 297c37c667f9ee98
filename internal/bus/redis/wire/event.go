package wire

// Event is the body of a message that is an event for sockets.
type Event struct {
	Namespaces []string
	Name       string
	// JSON is the payload, in which Attachments have their places.
	JSON        []byte
	Attachments [][]byte
}

// Append appends the body to dst.
func (e *Event) Append(dst []byte) []byte {
	dst = appendTexts(dst, e.Namespaces)
	dst = appendText(dst, e.Name)
	dst = appendText(dst, e.JSON)
	for _, attachment := range e.Attachments {
		dst = appendText(dst, attachment)
	}
	return dst
}

// Size is how many bytes Append takes.
func (e *Event) Size() int {
	size := textsSize(e.Namespaces) + textSize(e.Name) + textSize(e.JSON)
	for _, attachment := range e.Attachments {
		size += textSize(attachment)
	}
	return size
}

// DecodeEvent reads a body; what it returns is a part of it. It fails with ErrBroken.
func DecodeEvent(body []byte) (Event, error) {
	r := reader{rest: body}
	e := Event{Namespaces: r.texts(), Name: r.text(), JSON: r.bytes()}
	for len(r.rest) > 0 {
		e.Attachments = append(e.Attachments, r.bytes())
	}
	if r.broken {
		return Event{}, ErrBroken
	}
	return e, nil
}

// Newest is the body of a message that is an event of newest values.
type Newest struct {
	Namespaces   []string
	Name, Member string
	// Fields is JSON, as is what each value has.
	Fields []byte
	Values []Value
}

// Value is the newest of one thing.
type Value struct {
	Key  string
	JSON []byte
}

// Append appends the body to dst.
func (n *Newest) Append(dst []byte) []byte {
	dst = appendTexts(dst, n.Namespaces)
	dst = appendText(dst, n.Name)
	dst = appendText(dst, n.Member)
	dst = appendText(dst, n.Fields)
	for i := range n.Values {
		dst = appendText(dst, n.Values[i].Key)
		dst = appendText(dst, n.Values[i].JSON)
	}
	return dst
}

// Size is how many bytes Append takes.
func (n *Newest) Size() int {
	size := textsSize(n.Namespaces) + textSize(n.Name) + textSize(n.Member) + textSize(n.Fields)
	for i := range n.Values {
		size += textSize(n.Values[i].Key) + textSize(n.Values[i].JSON)
	}
	return size
}

// DecodeNewest reads a body; what it returns is a part of it. It fails with ErrBroken.
func DecodeNewest(body []byte) (Newest, error) {
	r := reader{rest: body}
	n := Newest{Namespaces: r.texts(), Name: r.text(), Member: r.text(), Fields: r.bytes()}
	for len(r.rest) > 0 {
		n.Values = append(n.Values, Value{Key: r.text(), JSON: r.bytes()})
	}
	if r.broken {
		return Newest{}, ErrBroken
	}
	return n, nil
}
