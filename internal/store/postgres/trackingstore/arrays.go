package trackingstore

import (
	"encoding/binary"
	"math"

	"github.com/jackc/pgx/v5/pgtype"
)

// The parameters of the hottest statement are encoded here, into one piece of memory, and not value by value by their types:
// that costs the server a tenth. The format is that of array_recv in PostgreSQL's src/backend/utils/adt/arrayfuncs.c: the
// number of dimensions, whether there are NULLs, the type of the elements, the length, the first index, and then each element
// behind its length, all in network byte order.

const (
	arrayHeader = 5 * 4
	isNull      = math.MaxUint32 // as the length of an element
)

// parameters are encoded parameters. The zero value has none.
type parameters struct {
	values [][]byte
	memory []byte
}

// begin begins an array of so many elements.
func (p *parameters) begin(element uint32, length int) {
	p.memory = binary.BigEndian.AppendUint32(p.memory, 1)
	p.memory = binary.BigEndian.AppendUint32(p.memory, 1) // a reader that is told of NULLs takes arrays without as well
	p.memory = binary.BigEndian.AppendUint32(p.memory, element)
	p.memory = binary.BigEndian.AppendUint32(p.memory, uint32(length))
	p.memory = binary.BigEndian.AppendUint32(p.memory, 1)
}

// add runs encode, and takes what it appends to memory for one parameter.
func (p *parameters) add(encode func()) {
	from := len(p.memory)
	encode()
	p.values = append(p.values, p.memory[from:len(p.memory):len(p.memory)])
}

func (p *parameters) int(value int64) {
	p.add(func() { p.memory = binary.BigEndian.AppendUint64(p.memory, uint64(value)) })
}

func (p *parameters) ints(length int, at func(i int) int64) {
	p.add(func() {
		p.begin(pgtype.Int8OID, length)
		for i := range length {
			p.put64(uint64(at(i)))
		}
	})
}

func (p *parameters) optionalInts(length int, at func(i int) *int64) {
	p.add(func() {
		p.begin(pgtype.Int8OID, length)
		for i := range length {
			if value := at(i); value != nil {
				p.put64(uint64(*value))
			} else {
				p.putNull()
			}
		}
	})
}

func (p *parameters) floats(length int, at func(i int) float64) {
	p.add(func() {
		p.begin(pgtype.Float8OID, length)
		for i := range length {
			p.put64(math.Float64bits(at(i)))
		}
	})
}

func (p *parameters) optionalFloats(length int, at func(i int) *float64) {
	p.add(func() {
		p.begin(pgtype.Float8OID, length)
		for i := range length {
			if value := at(i); value != nil {
				p.put64(math.Float64bits(*value))
			} else {
				p.putNull()
			}
		}
	})
}

func (p *parameters) bools(length int, at func(i int) bool) {
	p.add(func() {
		p.begin(pgtype.BoolOID, length)
		for i := range length {
			p.memory = binary.BigEndian.AppendUint32(p.memory, 1)
			if at(i) {
				p.memory = append(p.memory, 1)
			} else {
				p.memory = append(p.memory, 0)
			}
		}
	})
}

func (p *parameters) texts(length int, at func(i int) string) {
	p.add(func() {
		p.begin(pgtype.TextOID, length)
		for i := range length {
			text := at(i)
			p.memory = binary.BigEndian.AppendUint32(p.memory, uint32(len(text)))
			p.memory = append(p.memory, text...)
		}
	})
}

func (p *parameters) put64(value uint64) {
	p.memory = binary.BigEndian.AppendUint32(p.memory, 8)
	p.memory = binary.BigEndian.AppendUint64(p.memory, value)
}

func (p *parameters) putNull() { p.memory = binary.BigEndian.AppendUint32(p.memory, isNull) }
