package page

import "unicode/utf8"

// MaxBytes is how many bytes of JSON a page holds, unless its one item is larger. What a client is owed waits in memory
// until the client has read it, however slowly it reads.
const MaxBytes = 64 << 10

// Fit returns how many of the first items make a page: no more than most, no more bytes than MaxBytes, and at least one
// where there is any. bytes is about what an item takes as JSON.
func Fit[T any](items []T, most int, bytes func(item T) int) int {
	return fit(min(most, len(items)), func(i int) int { return bytes(items[i]) })
}

// FitLast is Fit for a page of the last items.
func FitLast[T any](items []T, most int, bytes func(item T) int) int {
	return fit(min(most, len(items)), func(i int) int { return bytes(items[len(items)-1-i]) })
}

func fit(most int, bytes func(i int) int) int {
	total := 0
	for i := range most {
		if total += bytes(i); total > MaxBytes && i > 0 {
			return i
		}
	}
	return most
}

// TextBytes is the most that a text takes as a JSON string, whichever encoder writes it: encoding/json escapes what means
// something in HTML as well.
func TextBytes(text string) int {
	const escaped = len(`\u0000`)
	bytes := len(`""`)
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if i += size; r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
				bytes += escaped
			} else {
				bytes += size
			}
			continue
		}
		i++
		switch {
		case c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x7f:
			bytes += escaped
		case c == '"' || c == '\\':
			bytes += 2
		default:
			bytes++
		}
	}
	return bytes
}
