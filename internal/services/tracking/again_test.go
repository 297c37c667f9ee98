package tracking_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// TestSentAgainWithoutTime: what has a seq and no time is recognised when it is sent again, also after a restart: it is
// stored once, and does not move the driver back. A counter that begins anew is not taken for it.
func TestSentAgainWithoutTime(t *testing.T) {
	t.Parallel()
	now := atNoon()
	emitted := &recorder{}
	store := openStore(t)
	options := tracking.Options{Now: func() time.Time { return now }}
	service := newService(t, store, emitted, options)
	dora := driver("dora", "acme")
	send := func(seqs ...int) {
		t.Helper()
		now = now.Add(time.Second)
		batch := "["
		for i, seq := range seqs {
			if i > 0 {
				batch += ","
			}
			batch += fmt.Sprintf(`{"lat":%d,"lng":0,"seq":%d}`, seq, seq)
		}
		publish(t, service, dora, batch+"]")
	}
	shown := func() []float64 { return lats(positions(t, emitted.take(), roles.FleetRoom("acme")), "dora") }
	track := func() (seqs []int64) {
		t.Helper()
		stored, _, err := service.Track(t.Context(), dora, tracking.TrackQuery{DriverID: "dora"}, page.Request{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range stored {
			seqs = append(seqs, *p.Seq)
		}
		return seqs
	}
	send(1, 2, 3)
	send(4)
	if got := shown(); !slices.Equal(got, []float64{3, 4}) {
		t.Fatalf("shown were %v", got)
	}
	for _, when := range []string{"at once", "after a restart"} {
		send(1, 2, 3)
		send(3, 4)
		if got := shown(); len(got) > 0 {
			t.Errorf("sent again %s: the driver was shown at %v", when, got)
		}
		if diff := cmp.Diff([]int64{1, 2, 3, 4}, track()); diff != "" {
			t.Errorf("sent again %s (-want +got):\n%s", when, diff)
		}
		closeService(t, service)
		service = newService(t, store, emitted, options)
	}
	publish(t, service, dora, `{"lat":10,"lng":0,"seq":1}`) // the app was installed anew
	if got := shown(); !slices.Equal(got, []float64{10}) {
		t.Errorf("with a counter that begins anew the driver was shown at %v", got)
	}
	now = now.Add(25 * time.Hour)
	publish(t, service, dora, `{"lat":10,"lng":0,"seq":1}`) // on the next day, from the same place
	if got := track(); !slices.Equal(got, []int64{1, 2, 3, 4, 1, 1}) {
		t.Errorf("stored are %v", got)
	}
}
