package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/words"
	"rolecall/test/servicetest"
)

func searchPromises() []promise {
	return []promise{
		{"a message is found by its words, the newest first", messagesFound},
		{"others' rooms are not looked through", roomsLookedThrough},
		{"who was put into a group finds what they see of it", searchByLaterMembers},
		{"a search is narrowed down", searchNarrowed},
		{"pages of a search show each message once", searchPaged},
		{"what was edited, deleted or given up is not found by what it said", searchForgets},
		{"hostile texts are found", hostileTextsFound},
		{"an index that was made before is made again", indexMadeAgain},
		{"searches agree with a model", searchModel},
	}
}

// says is a draft with a text.
func says(roomID, userID string, n int, text string) chat.Append {
	said := draft(roomID, userID, n)
	said.ID = fmt.Sprintf("%s-%s-%d", roomID, userID, n)
	said.ClientID, said.Text = "", text
	return said
}

// lookFor is what is asked of a store in somebody's name.
func lookFor(userID, query string) search.Asked {
	wanted := words.Parse(query)
	return search.Asked{
		UserID: userID, Open: true, Terms: wanted.Terms(), Below: search.Top(), Limit: 100,
		Accepts: func(m *chat.Message) bool { return len(wanted.Find(m.Text)) > 0 },
	}
}

// foundBy lists the texts that are found, in pages.
func foundBy(t tester, store Store, asked search.Asked) []string {
	t.Helper()
	texts := []string{}
	for pages := 0; ; pages++ {
		found, err := store.Search.Search(t.Context(), asked)
		check(t, "search", err)
		if len(found.Messages) > asked.Limit || pages > 2000 {
			t.Fatalf("%d messages on page %d, asked for %d", len(found.Messages), pages, asked.Limit)
		}
		for i := range found.Messages {
			texts = append(texts, found.Messages[i].Text)
		}
		if found.Next == nil {
			return texts
		}
		asked.Below = *found.Next
	}
}

func messagesFound(t *testing.T, store Store) {
	same(t, "in an empty store", []string{}, foundBy(t, store, lookFor("a", "bridge")))
	said := appendDrafts(t, store,
		says("dm:a:b", "b", 1, "Take the bridge"), says("dm:a:b", "a", 2, "Which Bridge?"), says("dm:a:b", "b", 3, "the old one"),
		says("dm:a:c", "c", 4, "東京タワーの橋"), says("lobby", "d", 5, "abridged"), says("lobby", "d", 6, "bridges, everywhere"))
	same(t, "a word", []string{"bridges, everywhere", "Which Bridge?", "Take the bridge"}, foundBy(t, store, lookFor("a", "bridge")))
	same(t, "a word that does not go on", []string{"Which Bridge?", "Take the bridge"}, foundBy(t, store, lookFor("a", "bridge ")))
	same(t, "two words", []string{"Take the bridge"}, foundBy(t, store, lookFor("a", "the bridge")))
	same(t, "the beginning of one", []string{"Which Bridge?"}, foundBy(t, store, lookFor("a", "whi")))
	same(t, "one character", []string{"東京タワーの橋"}, foundBy(t, store, lookFor("a", "橋")))
	same(t, "two", []string{"東京タワーの橋"}, foundBy(t, store, lookFor("a", "京タ")))
	same(t, "none", []string{}, foundBy(t, store, lookFor("a", "tower")))
	found, err := store.Search.Search(t.Context(), lookFor("a", "whi"))
	check(t, "search", err)
	want := said[1].Message
	same(t, "the message", []chat.Message{want}, found.Messages)
}

func roomsLookedThrough(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b")))
	for i, room := range []string{"dm:a:b", "dm:b:c", "dm:a:a", "group:g", "lobby", "yard"} {
		appendDrafts(t, store, says(room, "b", i, "bridge in "+room))
	}
	same(t, "a's", []string{"bridge in yard", "bridge in lobby", "bridge in group:g", "bridge in dm:a:a", "bridge in dm:a:b"},
		foundBy(t, store, lookFor("a", "bridge")))
	same(t, "c's", []string{"bridge in yard", "bridge in lobby", "bridge in dm:b:c"}, foundBy(t, store, lookFor("c", "bridge")))
	asked := lookFor("c", "bridge")
	asked.Enters = func(room roles.ChatRoom) bool { return room.String() == "lobby" }
	same(t, "in open rooms of some", []string{"bridge in lobby", "bridge in dm:b:c"}, foundBy(t, store, asked))
	asked.Open = false
	same(t, "without open rooms", []string{"bridge in dm:b:c"}, foundBy(t, store, asked))
	for _, room := range []string{"dm:a:b", "group:g", "lobby"} {
		one := lookFor("a", "bridge")
		one.Room = servicetest.Room(room)
		same(t, "in "+room, []string{"bridge in " + room}, foundBy(t, store, one))
	}
	nowhere := lookFor("a", "bridge")
	nowhere.Room = servicetest.Room("no-such-room")
	same(t, "in a room that is not there", []string{}, foundBy(t, store, nowhere))
	takeOut(t, store, "group:g", start+50, "a")
	same(t, "once a has left", []string{"bridge in yard", "bridge in lobby", "bridge in dm:a:a", "bridge in dm:a:b"},
		foundBy(t, store, lookFor("a", "bridge")))
	left := lookFor("a", "bridge")
	left.Room = servicetest.Room("group:g")
	same(t, "in the group that a has left", []string{}, foundBy(t, store, left))
}

func searchByLaterMembers(t *testing.T, store Store) {
	for i, history := range []groups.History{groups.FromJoining, groups.FromStart} {
		at := 10 * i
		id := "group:" + string(history)
		founding := group(string(history), "a", "b")
		founding.History = history
		check(t, "create group", store.Groups.CreateGroup(t.Context(), founding))
		word := "bridge" + string(history)
		appendDrafts(t, store, says(id, "a", at+1, word+" 1"), says(id, "b", at+2, word+" 2"))
		made := changeGroup(t, store, id, changeOf(start+int64(at)+3, groups.Entry{Type: groups.EntryAdded, Users: []string{"x"}}))[0]
		later := says(id, "b", at+4, word+" 3")
		later.MembersSince = made.Revision
		appendDrafts(t, store, later)
		want := []string{word + " 3", word + " 2", word + " 1"}
		same(t, "a finds", want, foundBy(t, store, lookFor("a", word)))
		if history == groups.FromJoining {
			want = want[:1]
		}
		one := lookFor("x", word)
		same(t, "x finds", want, foundBy(t, store, one))
		one.Room = servicetest.Room(id)
		same(t, "x finds in the group", want, foundBy(t, store, one))
		one.Limit = 1
		same(t, "x finds in pages of 1", want, foundBy(t, store, one))
		takeOut(t, store, id, start+int64(at)+5, "x")
		same(t, "x finds after that", []string{}, foundBy(t, store, one))
	}
}

func searchNarrowed(t *testing.T, store Store) {
	for n := range 10 {
		appendDrafts(t, store, says("lobby", string(rune('a'+n%2)), n, fmt.Sprint("bridge ", n)))
	}
	narrowed := func(change func(*search.Asked)) string {
		asked := lookFor("a", "bridge ")
		change(&asked)
		return strings.ReplaceAll(strings.Join(foundBy(t, store, asked), ""), "bridge ", "")
	}
	same(t, "by person", "97531", narrowed(func(a *search.Asked) { a.Terms = append(a.Terms, words.Sender("b")) }))
	same(t, "from", "987", narrowed(func(a *search.Asked) { a.From = start + 7 }))
	same(t, "to", "210", narrowed(func(a *search.Asked) { a.To = start + 3 }))
	same(t, "between", "65", narrowed(func(a *search.Asked) { a.From, a.To = start+5, start+7 }))
	same(t, "before all", "", narrowed(func(a *search.Asked) { a.To = start }))
	same(t, "after all", "", narrowed(func(a *search.Asked) { a.From = start + 10 }))
	same(t, "below a place", "3210", narrowed(func(a *search.Asked) {
		a.Below = search.Place{At: start + 4, Room: servicetest.Room("lobby"), Seq: 5}
	}))
	same(t, "in pages of 1", "9876543210", narrowed(func(a *search.Asked) { a.Limit = 1 }))
	same(t, "between, in pages of 2", "8765", narrowed(func(a *search.Asked) { a.From, a.To, a.Limit = start+5, start+9, 2 }))
}

func searchPaged(t *testing.T, store Store) {
	for n := range 40 { // four at the same time, in different rooms
		room := []string{"dm:a:b", "lobby", "dm:a:c", "yard"}[n%4]
		appendDrafts(t, store, says(room, "a", n/4, fmt.Sprint("bridge ", n)))
	}
	want := foundBy(t, store, lookFor("a", "bridge "))
	same(t, "all", 40, len(want))
	for limit := 1; limit <= 7; limit++ {
		asked := lookFor("a", "bridge ")
		asked.Limit = limit
		same(t, fmt.Sprint("in pages of ", limit), want, foundBy(t, store, asked))
	}
	first := lookFor("a", "bridge ")
	first.Limit = 10
	found, err := store.Search.Search(t.Context(), first)
	check(t, "search", err)
	appendDrafts(t, store, says("lobby", "a", 100, "bridge of later"), says("dm:a:b", "a", 101, "bridge of later"))
	first.Below, first.Limit = *found.Next, 100
	same(t, "what follows, while more is said", want[10:], foundBy(t, store, first))
}

func searchForgets(t *testing.T, store Store) {
	said := appendDrafts(t, store, says("dm:a:b", "a", 1, "bridge one"), says("dm:a:b", "a", 2, "bridge two"), says("dm:a:b", "a", 3, "bridge three"))
	apply(t, store, edit("dm:a:b", said[1].ID, "a", "tunnel two", 4), deletion("dm:a:b", said[2].ID, "a", 5))
	same(t, "by what it said", []string{"bridge one"}, foundBy(t, store, lookFor("b", "bridge")))
	same(t, "by what it says", []string{"tunnel two"}, foundBy(t, store, lookFor("b", "tunnel")))
	same(t, "by what it said and says", []string{"tunnel two"}, foundBy(t, store, lookFor("b", "two")))
	same(t, "deleted", []string{}, foundBy(t, store, lookFor("b", "three")))
	apply(t, store, edit("dm:a:b", said[1].ID, "a", "ferry two", 6), edit("dm:a:b", said[1].ID, "a", "bridge two", 7))
	same(t, "edited back", []string{"bridge two", "bridge one"}, foundBy(t, store, lookFor("b", "bridge")))
	gone, err := store.Chat.DeleteMessagesBefore(t.Context(), start+2)
	check(t, "delete", err)
	same(t, "gone", 1, gone)
	same(t, "kept", []string{"bridge two"}, foundBy(t, store, lookFor("b", "bridge")))
	asked := lookFor("b", "bridge")
	asked.Below = search.PlaceOf(&said[0].Message)
	same(t, "below one that is not kept", []string{}, foundBy(t, store, asked))
}

func hostileTextsFound(t *testing.T, store Store) {
	n := 0
	for name, text := range hostileTexts() {
		n++
		appendDrafts(t, store, says("dm:a:b", "a", n, text))
		asked := lookFor("b", text)
		if len(asked.Terms) > 0 {
			same(t, name, []string{text}, foundBy(t, store, asked))
		}
	}
}

// indexMadeAgain: what is in the index is not added twice, whatever came of it before.
func indexMadeAgain(t *testing.T, store Store) {
	for n := range 30 {
		appendDrafts(t, store, says("dm:a:b", "a", n, fmt.Sprint("bridge ", n)))
	}
	want := foundBy(t, store, lookFor("a", "bridge "))
	for more := true; more; {
		var err error
		more, err = store.Search.Index(t.Context())
		check(t, "index", err)
	}
	same(t, "once all is indexed", want, foundBy(t, store, lookFor("a", "bridge ")))
	found, err := store.Search.Search(t.Context(), lookFor("a", "bridge "))
	check(t, "search", err)
	same(t, "is said to be indexed", false, found.Indexing)
}

// foundModel is what was said, by room.
type foundModel struct {
	store Store
	said  []chat.Message
	now   int
}

// searchModel says, edits, deletes and gives up at random, and holds what is found against a look at every message.
func searchModel(t *testing.T, store Store) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++ // each with people and rooms of its own
		m := &foundModel{store: store, now: run * 100_000}
		room := func() string {
			return fmt.Sprintf(rapid.SampledFrom([]string{"dm:a%[1]d:b%[1]d", "dm:b%[1]d:c%[1]d", "open%[1]d"}).Draw(rt, "room"), run)
		}
		text := func() string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"bridge", "bridges", "br", "Brücke", "橋を", "橋", "old", "the"}), 1, 4).Draw(rt, "text"), " ")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"say": func(rt *rapid.T) {
				m.now += rapid.IntRange(0, 2).Draw(rt, "time")
				id := room()
				who := servicetest.Room(id).People()
				if who == nil {
					who = []string{fmt.Sprint("a", run)}
				}
				said := says(id, who[0], m.now, text())
				said.ID = fmt.Sprintf("%d-%d", run, len(m.said))
				m.said = append(m.said, appendDrafts(rt, store, said)[0].Message)
			},
			"amend": func(rt *rapid.T) {
				if len(m.said) == 0 {
					rt.Skip("nothing was said")
				}
				at := rapid.IntRange(0, len(m.said)-1).Draw(rt, "message")
				one := &m.said[at]
				var change chat.Change = edit(one.Room.String(), one.ID, one.UserID, text(), m.now)
				if rapid.IntRange(0, 3).Draw(rt, "delete") == 0 {
					change = deletion(one.Room.String(), one.ID, one.UserID, m.now)
				}
				if made := apply(rt, store, change)[0]; made.Refused == nil {
					*one = made.Message
				}
			},
			"": func(rt *rapid.T) { m.agree(rt, run, text()) },
		})
	})
}

func (m *foundModel) agree(rt *rapid.T, run int, query string) {
	who := fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "who"), run)
	asked := lookFor(who, query)
	asked.Limit = rapid.IntRange(1, 5).Draw(rt, "limit")
	asked.Enters = func(room roles.ChatRoom) bool { return room.String() == fmt.Sprint("open", run) }
	var want []string
	wanted := words.Parse(query)
	for i := range m.said {
		one := &m.said[i]
		_, theirs := one.Room.Peer(who)
		if (theirs || one.Room.Kind() == roles.OpenKind) && !one.Deleted && len(wanted.Find(one.Text)) > 0 {
			want = append(want, fmt.Sprint(one.Timestamp, " ", one.Text))
		}
	}
	var got []string
	for page := 0; ; page++ {
		found, err := m.store.Search.Search(rt.Context(), asked)
		check(rt, "search", err)
		for i := range found.Messages {
			one := &found.Messages[i]
			if n := len(got); n > 0 && got[n-1] < fmt.Sprint(one.Timestamp) {
				rt.Fatalf("%s before %v", got[n-1], one.Timestamp)
			}
			got = append(got, fmt.Sprint(one.Timestamp, " ", one.Text))
		}
		if found.Next == nil {
			break
		}
		asked.Below = *found.Next
	}
	slices.Sort(want)
	slices.Sort(got)
	same(rt, fmt.Sprintf("%s looks for %q", who, query), want, got)
}
