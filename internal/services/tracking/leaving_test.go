package tracking_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/services/tracking"
)

// TestADriverWhoLeavesIsGoneWhereverItHasReported: a driver who is connected to one node has reported to another, as by REST.
func TestADriverWhoLeavesIsGoneWhereverItHasReported(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		who := driver("d", "acme")
		nodes[0].service.CameOnline(t.Context(), who)
		publish(t, nodes[1].service, who, at(1)) // nobody watches there
		nodes[2].watch(t, staff("acme"))
		time.Sleep(time.Second)
		synctest.Wait()
		nodes[2].heard.take()

		nodes[0].service.WentOffline(t.Context(), who)
		time.Sleep(time.Second)
		synctest.Wait()
		if told := statuses(t, nodes[2].heard.take(), "d"); !slices.Equal(told, []tracking.Status{tracking.Offline}) {
			t.Errorf("watchers are told %v of a driver who has gone", told)
		}
		for _, n := range nodes {
			wantView(t, n.drivers(t, admin()), "d", 1, tracking.Offline)
		}
		publish(t, nodes[1].service, who, at(2))
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			wantView(t, n.drivers(t, admin()), "d", 2, tracking.Online)
		}
	})
}
