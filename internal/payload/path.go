package payload

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// typePath is the path of the value that wrong is about. encoding/json names the fields on the way and leaves out which
// element of an array it was, so the path is read off the payload at the error's offset. Where no value or other fields
// are found there, the offset is that of a part, which a type has decoded by itself, and the library's answer stands.
func typePath(raw []byte, wrong *json.UnmarshalTypeError) string {
	if path, fields := pathAt(raw, wrong.Offset); fields == wrong.Field {
		return path
	}
	return wrong.Field
}

// container is an object or array that holds the place being read.
type container struct {
	isArray bool
	// index is that of the element being read, -1 ahead of the first.
	index int
	// key is the name of the member being read; hasKey tells that its value comes next.
	key    string
	hasKey bool
}

// pathAt returns the path of the scalar that ends, or the object or array that begins, at the offset; fields is that
// path without its indexes. Both are "" for the payload itself, and where there is none.
func pathAt(raw []byte, offset int64) (path, fields string) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var around []container
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", ""
		}
		delimiter, _ := token.(json.Delim)
		if delimiter == ']' || delimiter == '}' {
			around = around[:len(around)-1]
			continue
		}
		if len(around) > 0 && around[len(around)-1].takesKey(token) {
			continue
		}
		if at := decoder.InputOffset(); at == offset {
			return spell(around)
		} else if at > offset {
			return "", ""
		}
		if delimiter != 0 {
			around = append(around, container{isArray: delimiter == '[', index: -1})
		}
	}
}

// takesKey moves on by a token and reports whether it is a member's name rather than a value.
func (c *container) takesKey(token json.Token) bool {
	switch key, isString := token.(string); {
	case c.isArray:
		c.index++
	case c.hasKey:
		c.hasKey = false
	case isString:
		c.key, c.hasKey = key, true
	}
	return c.hasKey
}

func spell(around []container) (path, fields string) {
	var spelled strings.Builder
	var keys []string
	for _, c := range around {
		if c.isArray {
			spelled.WriteString("[" + strconv.Itoa(c.index) + "]")
			continue
		}
		if spelled.Len() > 0 {
			spelled.WriteByte('.')
		}
		spelled.WriteString(c.key)
		keys = append(keys, c.key)
	}
	return spelled.String(), strings.Join(keys, ".")
}
