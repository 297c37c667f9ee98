// Package wire is the form in which nodes send each other messages: an envelope that says who sent which of their messages
// to which rooms, and what is in it.
//
//	"RC"          what every envelope begins with
//	version       1 byte
//	checksum      4 bytes, CRC-32C of all that follows
//	number        8 bytes: counts the messages of the sender
//	losses        8 bytes: how often the sender had to give up messages
//	sender        text
//	kind          text
//	rooms         count, texts
//	except        count, texts
//	body          what is left
//
// Numbers of fixed size are little-endian; a count, and the length of a text before its bytes, is an unsigned varint as in
// encoding/binary.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Version is what this program writes, and all that it reads.
const Version = 1

// Places of what has a fixed size.
const (
	versionAt  = 2
	checksumAt = 3
	numberAt   = 7
	lossesAt   = 15
	headerSize = 23
)

// Why something is no message.
var (
	// ErrGarbage is returned for what does not begin like an envelope.
	ErrGarbage = errors.New("no message of this program")
	// ErrVersion is returned for envelopes of another version.
	ErrVersion = errors.New("message of another version")
	// ErrBroken is returned for an envelope that is not whole or was changed on the way.
	ErrBroken = errors.New("broken message")
)

// Envelope is a message with what is written on it.
type Envelope struct {
	// Number counts what the sender has sent; Losses how often it had to give up something.
	Number, Losses uint64
	Sender, Kind   string
	// Rooms are those that the message is for, but for sockets in one of Except.
	Rooms, Except []string
	Body          []byte
}

// Append appends an envelope to dst, with room for more of the body behind it. Its number and losses are what Seal says.
func Append(dst []byte, e *Envelope) []byte {
	dst = append(dst, 'R', 'C', Version)
	dst = append(dst, make([]byte, headerSize-checksumAt)...)
	dst = appendText(dst, e.Sender)
	dst = appendText(dst, e.Kind)
	dst = appendTexts(dst, e.Rooms)
	dst = appendTexts(dst, e.Except)
	return append(dst, e.Body...)
}

// Size is how many bytes Append takes.
func (e *Envelope) Size() int {
	return headerSize + textSize(e.Sender) + textSize(e.Kind) + textsSize(e.Rooms) + textsSize(e.Except) + len(e.Body)
}

// Seal completes what Append has begun, and nothing is appended to any more.
func Seal(message []byte, number, losses uint64) {
	binary.LittleEndian.PutUint64(message[numberAt:], number)
	binary.LittleEndian.PutUint64(message[lossesAt:], losses)
	binary.LittleEndian.PutUint32(message[checksumAt:], checksum(message))
}

func checksum(message []byte) uint32 {
	return crc32.Checksum(message[numberAt:], crc32.MakeTable(crc32.Castagnoli)) // made once
}

// Decode reads a message. The body is a part of it. It fails with ErrGarbage, ErrVersion or ErrBroken, and looks into
// nothing whose checksum is wrong.
func Decode(message []byte) (Envelope, error) {
	if len(message) < checksumAt || message[0] != 'R' || message[1] != 'C' {
		return Envelope{}, ErrGarbage
	}
	if version := message[versionAt]; version != Version {
		return Envelope{}, fmt.Errorf("%w: %d", ErrVersion, version)
	}
	if len(message) < headerSize || binary.LittleEndian.Uint32(message[checksumAt:]) != checksum(message) {
		return Envelope{}, ErrBroken
	}
	r := reader{rest: message[headerSize:]}
	e := Envelope{
		Number: binary.LittleEndian.Uint64(message[numberAt:]), Losses: binary.LittleEndian.Uint64(message[lossesAt:]),
		Sender: r.text(), Kind: r.text(), Rooms: r.texts(), Except: r.texts(),
	}
	e.Body = r.rest
	if r.broken {
		return Envelope{}, ErrBroken
	}
	return e, nil
}
