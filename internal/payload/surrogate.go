package payload

import (
	"bytes"
	"strconv"
)

// halfCharacter reports whether JSON text has the escape of one half of a surrogate pair without the other. It names no
// character, and decoding would put the same replacement in the place of any (RFC 8259, section 8.2).
func halfCharacter(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`\u`)) {
		return false
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		unit, escaped := codeUnit(raw[i:])
		switch {
		case !escaped:
			i++ // an escape of one character, which may be a backslash
		case unit < 0xD800 || unit > 0xDFFF:
			i += 5
		case unit > 0xDBFF:
			return true // a second half
		default:
			if next, follows := codeUnit(raw[min(i+6, len(raw)):]); !follows || next < 0xDC00 || next > 0xDFFF {
				return true
			}
			i += 11
		}
	}
	return false
}

// codeUnit reads an escape of the form \uXXXX at the beginning of text.
func codeUnit(text []byte) (unit uint64, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return unit, err == nil
}
