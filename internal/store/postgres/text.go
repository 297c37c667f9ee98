package postgres

import "strings"

// Text is a string in a column of type bytea, in which it is kept byte for byte: people may write the character U+0000,
// which a column of type text does not take. Ids have columns of type text, COLLATE "C", which sorts them by their bytes.
type Text string

// BytesValue implements pgtype.BytesValuer.
func (t Text) BytesValue() ([]byte, error) { return []byte(t), nil }

// ScanBytes implements pgtype.BytesScanner.
func (t *Text) ScanBytes(value []byte) error {
	*t = Text(value)
	return nil
}

// unstorable stands for what a text cannot hold. No id has it.
const unstorable = "\uFFFD"

// clean has parameters of type text take any string. Ids that clients ask for, in a cursor of their own making for one, may
// hold what no text of the database can: such an id is that of nobody, and no failure of the server.
func clean(args []any) []any {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = storable(arg)
		case []string:
			args[i] = storables(arg)
		}
	}
	return args
}

func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, unstorable), "\x00", unstorable)
}

func storables(texts []string) []string {
	all := make([]string, len(texts))
	for i := range texts {
		all[i] = storable(texts[i])
	}
	return all
}
