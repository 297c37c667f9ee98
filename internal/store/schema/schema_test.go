package schema_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/store/schema"
)

func TestWhereASchemaStands(t *testing.T) {
	known, err := schema.Known(fstest.MapFS{"00001_first.sql": {}, "00002_second_thing.sql": {}, "notes.md": {}})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1, 0)
	for _, test := range []struct {
		name    string
		applied []schema.Migration
		want    []schema.Migration
		state   string
	}{
		{"nothing yet", nil, []schema.Migration{{Version: 1, Name: "first"}, {Version: 2, Name: "second_thing"}}, "2 to apply"},
		{"a step behind", []schema.Migration{{Version: 1, Applied: at}},
			[]schema.Migration{{1, "first", at}, {Version: 2, Name: "second_thing"}}, "1 to apply"},
		{"all", []schema.Migration{{Version: 2, Applied: at}, {Version: 1, Applied: at}},
			[]schema.Migration{{1, "first", at}, {2, "second_thing", at}}, "up to date"},
		{"one beyond", []schema.Migration{{Version: 1, Applied: at}, {Version: 2, Applied: at}, {Version: 9, Applied: at}},
			[]schema.Migration{{1, "first", at}, {2, "second_thing", at}, {9, "", at}}, "newer than this program"},
		{"a hole", []schema.Migration{{Version: 2, Applied: at}},
			[]schema.Migration{{Version: 1, Name: "first"}, {2, "second_thing", at}}, "migrated in part: restore a backup"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := schema.Merge(known, test.applied)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("migrations (-want +got):\n%s", diff)
			}
			if state := schema.State(got); state != test.state {
				t.Errorf("state %q, want %q", state, test.state)
			}
		})
	}
}

func TestFilesWithoutVersion(t *testing.T) {
	if _, err := schema.Known(fstest.MapFS{"first.sql": {}}); err == nil {
		t.Fatal("a migration without version is known")
	}
}
