package engineio

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// latestOf is a message of a stream; its text is the stream and then each key with its value.
func latestOf(stream string, values ...Value) *Message {
	return LatestMessage(&Latest{Stream: stream, Values: values, Encode: func(values []Value) []byte {
		text := []byte(stream)
		for _, value := range values {
			text = fmt.Appendf(text, " %s=%s", value.Key, value.JSON)
		}
		return text
	}})
}

// TestOutboxAgainstModel adds messages at random and takes them. Plain messages come out as they went in, one by one; between
// two of them comes one message of each stream, in the place of its first, with the newest value of each key.
func TestOutboxAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var total, meter atomic.Int64
		box := outbox{total: &total}
		type entry struct {
			stream, text string
			keys         []string
			newest       map[string]string
		}
		var model []*entry
		waits := func(stream string) *entry { // behind the last plain message
			for i := len(model) - 1; i >= 0 && model[i].stream != ""; i-- {
				if model[i].stream == stream {
					return model[i]
				}
			}
			return nil
		}
		number := 0
		t.Repeat(map[string]func(*rapid.T){
			"plain": func(*rapid.T) {
				number++
				box.add(TextMessage(fmt.Append(nil, number)).Metered(&meter))
				model = append(model, &entry{text: fmt.Sprint("4", number)})
			},
			"latest": func(t *rapid.T) {
				stream := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "stream")
				e := waits(stream)
				known := e != nil
				if !known {
					e = &entry{stream: stream, newest: map[string]string{}}
					model = append(model, e)
				}
				var values []Value
				for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 1, 3, rapid.ID).Draw(t, "keys") {
					number++
					if _, has := e.newest[key]; !has {
						e.keys = append(e.keys, key)
					}
					e.newest[key] = fmt.Sprint(number)
					values = append(values, Value{key, fmt.Append(nil, number)})
				}
				if replaced := box.add(latestOf(stream, values...).Metered(&meter)); replaced != known {
					t.Fatalf("replaced: %v", replaced)
				}
			},
			"take": func(t *rapid.T) {
				var want, got []string
				for _, e := range model {
					text := e.text
					if e.stream != "" {
						text = "4" + e.stream
						for _, key := range e.keys {
							text += " " + key + "=" + e.newest[key]
						}
					}
					want = append(want, text)
				}
				taken := box.take()
				for _, m := range taken.messages() {
					got = append(got, string(m.payload()))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatal(diff)
				}
				model = nil
				box.release(taken)
			},
			"drop": func(*rapid.T) {
				box.drop()
				model = nil
			},
			"": func(t *rapid.T) {
				if box.cost != total.Load() || box.cost != meter.Load() || (box.cost == 0) != (len(model) == 0) {
					t.Fatalf("cost %d, total %d, meter %d with %d waiting", box.cost, total.Load(), meter.Load(), len(model))
				}
			},
		})
	})
}

// TestCompressedFramesAreShared: a message is compressed once, whoever it goes to, and inflates to what it was.
func TestCompressedFramesAreShared(t *testing.T) {
	c := &compression{from: 100}
	text := bytes.Repeat([]byte("where is everybody? "), 50)
	m := TextMessage(text)
	first, second := c.frame(m), c.frame(m)
	if &first[0] != &second[0] || len(first) >= len(text)/2 {
		t.Errorf("frames of %d and %d bytes", len(first), len(second))
	}
	header := 2
	if first[1] == 126 {
		header = 4
	}
	plain, err := c.inflate(first[header:], 1<<20, func(int64) bool { return true })
	if err != nil || string(plain) != "4"+string(text) {
		t.Errorf("inflated to %d bytes, %v", len(plain), err)
	}
	if small := TextMessage([]byte("short")); len(c.frame(small)) != len(small.frame) {
		t.Error("a short message was compressed")
	}
}
