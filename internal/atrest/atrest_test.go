package atrest_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/atrest"
)

func key(fill byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(fill)), atrest.KeyBytes)))
}

func parse(t testing.TB, list string) *atrest.Keys {
	t.Helper()
	keys, err := atrest.ParseKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeysRefused(t *testing.T) {
	for _, list := range []string{"a", "a:", "a:" + key('a')[:40], "A:" + key('a'), "plain:" + key('a'), "a:" + key('a') + ",a:" + key('b'),
		"a:" + key('a') + ",plain", ":" + key('a'), "a:" + key('a') + ",", strings.Repeat("a", 33) + ":" + key('a')} {
		if _, err := atrest.ParseKeys(list); err == nil {
			t.Errorf("%s: no error", list)
		} else if strings.Contains(err.Error(), key('a')) {
			t.Errorf("the error tells a key: %v", err)
		}
	}
	if parse(t, " ") != nil || parse(t, "").First() != "" {
		t.Error("there are keys in nothing")
	}
}

// What was kept of a message is read with its key, in its place, and nowhere else.
func TestMessages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, said := rapid.String().Draw(rt, "text"), rapid.Int64().Draw(rt, "said")
		before := atrest.NewMessages(parse(t, "old:"+key('o')), nil)
		kept := before.Keep("dm:a:b", "1", text, said)
		after := atrest.NewMessages(parse(t, "new:"+key('n')+",old:"+key('o')), nil)
		if got, gotSaid, err := after.Open("dm:a:b", "1", kept); err != nil || got != text || gotSaid != said {
			rt.Fatalf("%q, %d: %v", got, gotSaid, err)
		}
		if text == "" && said == 0 {
			return
		}
		if kept.KeyID != "old" || kept.Said != 0 || len(text) > 3 && strings.Contains(kept.Text, text) {
			rt.Fatalf("%+v", kept)
		}
		for _, place := range [][2]string{{"dm:a:b", "2"}, {"dm:a:c", "1"}, {"dm:a:b\x001", ""}} {
			if _, _, err := after.Open(place[0], place[1], kept); !errors.Is(err, atrest.ErrForeign) {
				rt.Fatalf("in %q: %v", place, err)
			}
		}
		changed := kept
		changed.Text = kept.Text[:len(kept.Text)-1] + string(kept.Text[len(kept.Text)-1]^1)
		if _, _, err := after.Open("dm:a:b", "1", changed); !errors.Is(err, atrest.ErrForeign) {
			rt.Fatalf("changed: %v", err)
		}
		for _, others := range []*atrest.Keys{nil, parse(t, "new:"+key('n')), parse(t, "plain")} {
			without := atrest.NewMessages(others, nil)
			if _, _, err := without.Open("dm:a:b", "1", kept); !errors.Is(err, atrest.ErrNoKey) {
				rt.Fatalf("without the key: %v", err)
			}
			if got, _ := without.Read("dm:a:b", "1", kept); got != atrest.KeyMissing {
				rt.Fatalf("without the key: %q", got)
			}
		}
		if plain := atrest.NewMessages(parse(t, "plain,old:"+key('o')), nil); plain.Keep("dm:a:b", "1", text, said) != (atrest.Kept{Text: text, Said: said}) {
			rt.Fatal("plain is not kept as it is")
		}
	})
}
