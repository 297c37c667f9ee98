package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/services/notices"
)

func administrationPromises() []promise {
	return []promise{
		{"a deed is written down and listed, newest first", linesListed},
		{"lines are narrowed down", linesFiltered},
		{"lines come back byte for byte", linesComeBack},
		{"a request that is sent again writes nothing", linesReplayed},
		{"lines go by their age alone", linesGoByAge},
		{"a revocation is kept with its line and never moves back", revocationsKept},
		{"a revocation that is sent again does not move", revocationsReplayed},
		{"revocations go by their age", revocationsGoByAge},
		{"a notice is written down with what is done to it", noticesWrittenDown},
		{"deeds at once are all written down", linesConcurrent},
	}
}

// deed is a line of a moment.
func deed(at int64, actor string, action audit.Action, target string) audit.Line {
	return audit.Line{
		At: instant.Stamp(at), Actor: audit.Actor{UserID: actor, Username: "name of " + actor}, Action: action, Target: target,
	}
}

func record(t tester, store Store, line audit.Line) audit.Line {
	t.Helper()
	written, replayed, err := store.Administration.Record(t.Context(), line, 0)
	check(t, "record", err)
	same(t, "replayed", false, replayed)
	line.Number = written.Number
	same(t, "what was written", line, written)
	return written
}

// lines lists what a query finds, in pages of limit.
func lines(t tester, store Store, query audit.Query, limit int) []audit.Line {
	t.Helper()
	query.Limit = limit
	first := audit.Place{At: math.MaxInt64, Number: math.MaxInt64}
	return allPages(t, "audit", limit, first, func(from audit.Place) ([]audit.Line, error) {
		query.Before = from
		return store.Administration.Lines(t.Context(), query)
	}, audit.Line.Place)
}

func linesListed(t *testing.T, store Store) {
	same(t, "none", []audit.Line{}, lines(t, store, audit.Query{}, 10))
	a := record(t, store, deed(5, "root", audit.RevokeUser, "u1"))
	b := record(t, store, deed(9, "root", audit.DisconnectUser, "u1"))
	c := record(t, store, deed(9, "boss", audit.DisconnectUser, "u2"))
	late := record(t, store, deed(7, "boss", audit.DisconnectUser, "u3")) // of a node whose clock is behind
	for _, limit := range []int{1, 2, 3, 10} {
		same(t, fmt.Sprintf("in pages of %d", limit), []audit.Line{c, b, late, a}, lines(t, store, audit.Query{}, limit))
	}
	if a.Number >= b.Number || b.Number >= c.Number || c.Number >= late.Number {
		t.Fatalf("numbers %d, %d, %d, %d do not rise", a.Number, b.Number, c.Number, late.Number)
	}
}

func linesFiltered(t *testing.T, store Store) {
	all := []audit.Line{
		record(t, store, deed(1, "root", audit.RevokeUser, "u1")),
		record(t, store, deed(2, "root", audit.DisconnectUser, "u1")),
		record(t, store, deed(3, "boss", audit.RevokeUser, "u2")),
		record(t, store, deed(4, "boss", audit.DisconnectUser, "u1")),
		record(t, store, deed(5, "root", audit.RevokeUser, "u2")),
	}
	for name, test := range map[string]struct {
		query audit.Query
		want  []int
	}{
		"everything":                {audit.Query{}, []int{5, 4, 3, 2, 1}},
		"by actor":                  {audit.Query{Actor: "root"}, []int{5, 2, 1}},
		"by action":                 {audit.Query{Action: audit.RevokeUser}, []int{5, 3, 1}},
		"by target":                 {audit.Query{Target: "u1"}, []int{4, 2, 1}},
		"by actor and action":       {audit.Query{Actor: "root", Action: audit.RevokeUser}, []int{5, 1}},
		"by actor and target":       {audit.Query{Actor: "boss", Target: "u2"}, []int{3}},
		"by action and target":      {audit.Query{Action: audit.DisconnectUser, Target: "u1"}, []int{4, 2}},
		"by all three":              {audit.Query{Actor: "root", Action: audit.RevokeUser, Target: "u2"}, []int{5}},
		"from a moment":             {audit.Query{From: 3}, []int{5, 4, 3}},
		"to a moment":               {audit.Query{To: 3}, []int{2, 1}},
		"between":                   {audit.Query{From: 2, To: 5, Target: "u1"}, []int{4, 2}},
		"before everything":         {audit.Query{To: -1}, nil},
		"nobody":                    {audit.Query{Actor: "ROOT"}, nil},
		"an action there is not":    {audit.Query{Action: "user.made-up"}, nil},
		"a target by its beginning": {audit.Query{Target: "u"}, nil},
	} {
		want := []audit.Line{}
		for _, at := range test.want {
			want = append(want, all[at-1])
		}
		for _, limit := range []int{1, 2, 100} {
			same(t, fmt.Sprintf("%s, pages of %d", name, limit), want, lines(t, store, test.query, limit))
		}
	}
}

func linesComeBack(t *testing.T, store Store) {
	at := int64(0)
	for name, text := range hostileTexts() {
		at++
		line := deed(at, "root", audit.RevokeUser, "u1")
		line.Detail, line.Actor.Username = text, text
		written := record(t, store, line)
		same(t, name, []audit.Line{written}, lines(t, store, audit.Query{From: at, To: at + 1}, 10))
	}
}

func linesReplayed(t *testing.T, store Store) {
	line := deed(10, "root", audit.DisconnectUser, "u1")
	line.Key, line.Detail = "k", "lost"
	first, replayed, err := store.Administration.Record(t.Context(), line, 0)
	check(t, "the first", err)
	same(t, "the first is none", false, replayed)
	again := line
	again.At = 20
	repeated, replayed, err := store.Administration.Record(t.Context(), again, 10)
	check(t, "again", err)
	same(t, "again", true, replayed)
	same(t, "the line of then", first, repeated)
	for name, change := range map[string]func(l *audit.Line){
		"another target": func(l *audit.Line) { l.Target = "u2" },
		"another action": func(l *audit.Line) { l.Action = audit.RevokeUser },
		"another reason": func(l *audit.Line) { l.Detail = "found" },
	} {
		other := again
		change(&other)
		if _, _, err := store.Administration.Record(t.Context(), other, 10); !errors.Is(err, audit.ErrKeyReused) {
			t.Fatalf("%s under the same key: %v", name, err)
		}
	}
	same(t, "one line", []audit.Line{first}, lines(t, store, audit.Query{}, 10))
	stranger := again
	stranger.Actor.UserID = "boss"
	if _, replayed, err := store.Administration.Record(t.Context(), stranger, 10); err != nil || replayed {
		t.Fatalf("the key of another: replayed %t, %v", replayed, err)
	}
	if _, replayed, err := store.Administration.Record(t.Context(), again, 11); err != nil || replayed {
		t.Fatalf("a key that counts no longer: replayed %t, %v", replayed, err)
	}
}

func linesGoByAge(t *testing.T, store Store) {
	record(t, store, deed(1, "root", audit.RevokeUser, "u1"))
	record(t, store, deed(2, "root", audit.RevokeUser, "u2"))
	kept := record(t, store, deed(3, "root", audit.RevokeUser, "u3"))
	total := 0
	for gone := -1; gone != 0; total += gone {
		var err error
		gone, err = store.Administration.DeleteLinesBefore(t.Context(), 3)
		check(t, "delete", err)
	}
	same(t, "gone", 2, total)
	same(t, "left", []audit.Line{kept}, lines(t, store, audit.Query{}, 10))
	next := record(t, store, deed(4, "root", audit.RevokeUser, "u1"))
	if next.Number <= kept.Number {
		t.Fatalf("the number %d is given twice", next.Number)
	}
	if gone, err := store.Administration.DeleteLinesBefore(t.Context(), 1); err != nil || gone != 0 {
		t.Fatalf("what is younger: %d gone, %v", gone, err)
	}
}

func revoke(t tester, store Store, at int64, user, key string) audit.Line {
	t.Helper()
	line := deed(at, "root", audit.RevokeUser, user)
	line.Key = key
	written, _, err := store.Administration.Revoke(t.Context(), line, 0)
	check(t, "revoke", err)
	return written
}

func revocations(t tester, store Store, since int64) map[string]int64 {
	t.Helper()
	all, err := store.Administration.Revocations(t.Context(), since)
	check(t, "revocations", err)
	found := make(map[string]int64)
	for _, one := range all {
		if _, twice := found[one.UserID]; twice {
			t.Fatalf("two revocations of %s: %+v", one.UserID, all)
		}
		found[one.UserID] = one.At
	}
	return found
}

func revocationsKept(t *testing.T, store Store) {
	same(t, "none", map[string]int64{}, revocations(t, store, math.MinInt64))
	a, b := revoke(t, store, 5, "u1", ""), revoke(t, store, 7, "u2", "")
	same(t, "two", map[string]int64{"u1": 5, "u2": 7}, revocations(t, store, math.MinInt64))
	same(t, "since", map[string]int64{"u2": 7}, revocations(t, store, 6))
	same(t, "since that moment", map[string]int64{"u2": 7}, revocations(t, store, 7))
	c, d := revoke(t, store, 9, "u1", ""), revoke(t, store, 6, "u2", "")
	same(t, "later and earlier", map[string]int64{"u1": 9, "u2": 7}, revocations(t, store, math.MinInt64))
	same(t, "their lines", []audit.Line{c, b, d, a}, lines(t, store, audit.Query{}, 10))
}

func revocationsReplayed(t *testing.T, store Store) {
	first := revoke(t, store, 5, "u1", "k")
	same(t, "again", first, revoke(t, store, 9, "u1", "k"))
	same(t, "has not moved", map[string]int64{"u1": 5}, revocations(t, store, math.MinInt64))
	other := deed(9, "root", audit.RevokeUser, "u2")
	other.Key = "k"
	if _, _, err := store.Administration.Revoke(t.Context(), other, 0); !errors.Is(err, audit.ErrKeyReused) {
		t.Fatalf("another user under the same key: %v", err)
	}
	same(t, "nobody else is revoked", map[string]int64{"u1": 5}, revocations(t, store, math.MinInt64))
	same(t, "one line", []audit.Line{first}, lines(t, store, audit.Query{}, 10))
}

func revocationsGoByAge(t *testing.T, store Store) {
	revoke(t, store, 5, "u1", "")
	revoke(t, store, 7, "u2", "")
	gone, err := store.Administration.DeleteRevocationsBefore(t.Context(), 7)
	check(t, "delete", err)
	same(t, "gone", 1, gone)
	same(t, "left", map[string]int64{"u2": 7}, revocations(t, store, math.MinInt64))
	gone, err = store.Administration.DeleteRevocationsBefore(t.Context(), 7)
	check(t, "delete", err)
	same(t, "nothing more", 0, gone)
}

func noticesWrittenDown(t *testing.T, store Store) {
	apply := func(change notices.Change, line audit.Line) notices.Changed {
		t.Helper()
		change.Line = line
		changed, err := store.Notices.Apply(t.Context(), []notices.Change{change})
		check(t, "change notices", err)
		return changed[0]
	}
	made, ended := deed(1, "root", audit.BroadcastNotice, "n1"), deed(3, "boss", audit.RetractNotice, "n1")
	notice := addressed("n1", "user:u1")
	once := notices.Idempotency{UserID: "root", Key: "k", Digest: "d"}
	apply(notices.Change{Create: &notice, Once: once}, made)
	again := addressed("n2", "user:u1")
	if repeated := apply(notices.Change{Create: &again, Once: once}, deed(2, "root", audit.BroadcastNotice, "n2")); !repeated.Replayed {
		t.Fatalf("not replayed: %+v", repeated)
	}
	once.Digest = "another"
	apply(notices.Change{Create: &again, Once: once}, deed(2, "root", audit.BroadcastNotice, "n2"))
	apply(notices.Change{Retract: "n1", At: 3}, ended)
	apply(notices.Change{Retract: "n1", At: 4}, deed(4, "boss", audit.RetractNotice, "n1"))
	apply(notices.Change{Retract: "no such notice", At: 5}, deed(5, "boss", audit.RetractNotice, "no such notice"))
	expiring := addressed("n3", "user:u1")
	apply(notices.Change{Create: &expiring}, audit.Line{})
	apply(notices.Change{Expire: "n3"}, audit.Line{})
	got := lines(t, store, audit.Query{}, 10)
	for i := range got {
		got[i].Number = 0
	}
	same(t, "what was done, and nothing else", []audit.Line{ended, made}, got)
}

func linesConcurrent(t *testing.T, store Store) {
	const actors, each = 8, 25
	var all sync.WaitGroup
	failed := make(chan error, actors*each)
	for actor := range actors {
		all.Go(func() {
			for i := range each {
				line := deed(int64(i), fmt.Sprint("root", actor), audit.RevokeUser, fmt.Sprint("u", i))
				if _, _, err := store.Administration.Revoke(context.Background(), line, 0); err != nil {
					failed <- err
				}
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		t.Fatal(err)
	}
	same(t, "lines", actors*each, len(lines(t, store, audit.Query{}, 64)))
	standing := auth.NewRevocations()
	found, err := store.Administration.Revocations(t.Context(), math.MinInt64)
	check(t, "revocations", err)
	standing.Add(found...)
	same(t, "revoked", each, standing.Len())
}
