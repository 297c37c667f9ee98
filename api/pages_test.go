package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// pages follows nextCursor to the end and returns one member of each item.
func (s *server) pages(who auth.Identity, path, param, member string, limit int) []string {
	s.t.Helper()
	var found []string
	query := url.Values{"limit": {fmt.Sprint(limit)}}
	for range 100 {
		got := s.as(who, "GET", path+"?"+query.Encode(), "")
		if got.Code != http.StatusOK || len(got.document.Items) > limit || got.document.Items == nil {
			s.t.Fatalf("%s: %d %s", path, got.Code, got.Body)
		}
		for _, raw := range got.document.Items {
			var item map[string]any
			if err := json.Unmarshal(raw, &item); err != nil {
				s.t.Fatal(err)
			}
			found = append(found, fmt.Sprint(item[member]))
		}
		if got.document.NextCursor == "" {
			return found
		}
		query.Set(param, got.document.NextCursor)
	}
	s.t.Fatalf("%s has no last page", path)
	return nil
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	admin := someone(roles.Admin)
	const n = 7
	var up, down []string
	var lats []string
	for i := range n {
		text := fmt.Sprintf("%d", i+1)
		up, lats = append(up, text), append(lats, text)
		down = append([]string{text}, down...)
		for path, body := range map[string]string{
			"/notices":              fmt.Sprintf(`{"title":%q,"audience":{"all":true}}`, text),
			"/rooms/lobby/messages": fmt.Sprintf(`{"text":%q}`, text),
		} {
			if got := s.as(admin, "POST", path, body); got.Code != http.StatusCreated {
				t.Fatalf("%s: %d %s", path, got.Code, got.Body)
			}
		}
		body := fmt.Sprintf(`{"lat":%s,"lng":0,"ts":%d}`, text, time.Now().UnixMilli()-1000+int64(i))
		for _, who := range []auth.Identity{person("d"+text, roles.Driver, "acme"), person("dora", roles.Driver, "acme")} {
			if got := s.as(who, "POST", "/positions", body); got.Code != http.StatusOK {
				t.Fatalf("position: %d %s", got.Code, got.Body)
			}
		}
	}
	for _, limit := range []int{1, 2, 3, n, n + 1} {
		for name, test := range map[string]struct{ got, want []string }{
			"notices": {s.pages(admin, "/notices", "cursor", "title", limit), down},
			"inbox":   {s.pages(admin, "/me/inbox", "cursor", "title", limit), up},
			"drivers": {s.pages(admin, "/drivers", "cursor", "driverId", limit), []string{"d1", "d2", "d3", "d4", "d5", "d6", "d7", "dora"}},
			"track":   {s.pages(admin, "/drivers/dora/positions", "cursor", "lat", limit), lats},
		} {
			if !slices.Equal(test.got, test.want) {
				t.Errorf("%s, pages of %d: %v, want %v", name, limit, test.got, test.want)
			}
		}
	}
	// Messages page both ways: backwards from the newest or before one, forwards behind one.
	for query, test := range map[string]struct{ forwards, backwards []string }{
		"limit=3":          {nil, up},
		"limit=3&before=5": {nil, up[:4]},
		"limit=3&after=0":  {up, nil},
		"limit=3&after=2":  {up[2:], nil},
	} {
		var back, on []string
		cursor := ""
		for more := true; more; {
			got := s.as(admin, "GET", "/rooms/lobby/messages?"+query+"&cursor="+cursor, "")
			page := []string{}
			for _, raw := range got.document.Items {
				var m chat.Message
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				page = append(page, m.Text)
			}
			back, on = append(page, back...), append(on, page...)
			cursor, more = got.document.NextCursor, got.document.HasMore
			if more == (cursor == "") {
				t.Fatalf("hasMore %v with cursor %q", more, cursor)
			}
		}
		if test.forwards == nil && !slices.Equal(back, test.backwards) || test.forwards != nil && !slices.Equal(on, test.forwards) {
			t.Errorf("messages, %s: backwards %v, forwards %v", query, back, on)
		}
	}
}

func TestTracksOfOthers(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	if got := s.as(person("dora", roles.Driver, "acme"), "POST", "/positions", `[{"lat":1,"lng":2},{"lat":91,"lng":2}]`); got.Code != 200 ||
		strings.TrimSpace(got.Body.String()) != `{"accepted":1,"rejected":[{"index":1,"code":"invalid_payload","field":"lat"}]}` {
		t.Fatalf("positions: %d %s", got.Code, got.Body)
	}
	for name, test := range map[string]struct {
		who    auth.Identity
		status int
	}{
		"an admin":            {someone(roles.Admin), 200},
		"the driver":          {person("dora", roles.Driver, "acme"), 200},
		"its company":         {person("cleo", roles.Company, "acme"), 200},
		"another company":     {person("carl", roles.Company, "umbra"), 404},
		"a colleague":         {person("dan", roles.Driver, "acme"), 404},
		"a provider":          {someone(roles.Provider), 403},
		"itself, elsewhere":   {person("dora", roles.Driver, "umbra"), 200}, // who has not been heard of there yet
		"another's namesake?": {person("dora", roles.Company, "umbra"), 404},
	} {
		for _, path := range []string{"/drivers/dora", "/drivers/dora/positions"} {
			got := s.as(test.who, "GET", path, "")
			sees := test.status == http.StatusOK && test.who.CompanyID != "umbra"
			if got.Code != test.status || strings.Contains(got.Body.String(), `"lat"`) != sees {
				t.Errorf("%s, %s: %d %s", name, path, got.Code, got.Body)
			}
		}
	}
	now := time.Now()
	for query, want := range map[string]int{
		"from=" + url.QueryEscape(now.Add(-time.Hour).Format(time.RFC3339)):                1,
		"to=" + url.QueryEscape(now.Add(-time.Hour).Format(time.RFC3339)):                  0,
		fmt.Sprintf("from=%d&to=%d", now.UnixMilli()-3_600_000, now.UnixMilli()+3_600_000): 1,
		"from=&to=": 1,
		"from=" + now.Add(-time.Hour).UTC().Format("2006-01-02t15:04:05.000z"):                                             1,
		"to=" + url.QueryEscape(now.Add(-time.Hour).In(time.FixedZone("", 19_800)).Format("2006-01-02T15:04:05.000-0700")): 0,
		fmt.Sprintf("from=%d.75&to=%d.0", now.UnixMilli()-3_600_000, now.UnixMilli()+3_600_000):                            1,
		"from=1969-12-31T23:59:59Z&to=9999-12-31T23:59:59Z":                                                                1,
	} {
		if got := s.as(someone(roles.Admin), "GET", "/drivers/dora/positions?"+query, ""); got.Code != 200 || len(got.document.Items) != want {
			t.Errorf("%s: %d %s", query, got.Code, got.Body)
		}
	}
	for _, query := range []string{
		"from=yesterday", fmt.Sprintf("to=2026-01-01T00:00:00Z&from=%d", now.Unix()), "from=0", "from=-1", "from=1e16", "from=2026-01-01",
		"from=2026-01-01T00:00:00,5Z", "from=%201767268800000",
	} {
		s.is(query, s.as(someone(roles.Admin), "GET", "/drivers/dora/positions?"+query, ""), 422, fault.InvalidPayload, "from")
	}
}
