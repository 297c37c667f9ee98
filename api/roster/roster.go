// Package roster reads lists of people, entry by entry, as spreadsheets and back ends send them.
package roster

import (
	"errors"
	"io"
	"iter"

	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
	"rolecall/internal/payload"
	"rolecall/internal/services/people"
)

// The types of bodies that are read.
const (
	CSV  = "text/csv"
	JSON = "application/json"
)

// Read reads a list of one of the types. It ends with an error where the rest cannot be read: one of the reader's, or a fault
// that says what is wrong.
func Read(from io.Reader, media string, decoder *payload.Decoder) iter.Seq2[people.Row, error] {
	if media == CSV {
		return readCSV(from, decoder)
	}
	return readJSON(from, decoder)
}

// readJSON reads an array of people. Each is held against what an entry is by itself, so that one that is not keeps no other
// from being read.
func readJSON(from io.Reader, decoder *payload.Decoder) iter.Seq2[people.Row, error] {
	return func(yield func(people.Row, error) bool) {
		in := jsontext.NewDecoder(from, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		if err := begin(in); err != nil {
			yield(people.Row{}, err)
			return
		}
		for entry := 1; in.PeekKind() != jsontext.KindEndArray; entry++ {
			value, err := in.ReadValue()
			if err != nil {
				yield(people.Row{}, brokenJSON(err))
				return
			}
			row := people.Row{Line: entry}
			if err := decoder.Decode(value, &row.Entry); err != nil {
				row.Refused = fault.From(err)
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := end(in); err != nil {
			yield(people.Row{}, err)
		}
	}
}

func begin(in *jsontext.Decoder) error {
	switch first, err := in.ReadToken(); {
	case errors.Is(err, io.EOF):
		return payload.NewMalformed("The body is empty")
	case err != nil:
		return brokenJSON(err)
	case first.Kind() != jsontext.KindBeginArray:
		return payload.NewMalformed("The body must be a list of people")
	default:
		return nil
	}
}

// end reads the end of the array, behind which nothing may come.
func end(in *jsontext.Decoder) error {
	if _, err := in.ReadToken(); err != nil {
		return brokenJSON(err)
	}
	switch _, err := in.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return brokenJSON(err)
	default:
		return payload.NewMalformed("There is something behind the list of people")
	}
}

// brokenJSON is what is told of an error in the middle of a list. One of the reader's is told as it is.
func brokenJSON(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return payload.NewMalformed("The body is not valid JSON")
}
