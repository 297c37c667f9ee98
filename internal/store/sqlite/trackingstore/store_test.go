package trackingstore_test

import (
	"math"
	"strings"
	"testing"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/sqlite/trackingstore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, trackingstore.Statements(), func(statement, step string) bool {
		return strings.HasPrefix(step, "SCAN d ") && !strings.Contains(statement, "wanted") // some are for all drivers
	})
}

func TestAppendPositionsRefusesWhatIsNoNumber(t *testing.T) {
	store := sqlitetest.Open(t).Tracking
	nan := math.NaN()
	for name, position := range map[string]tracking.Position{
		"lat": {Lat: nan}, "lng": {Lng: nan}, "heading": {Heading: &nan}, "speed": {Speed: &nan},
		"accuracy": {Accuracy: &nan}, "altitude": {Altitude: &nan}, "battery": {Battery: &nan},
	} {
		position.DriverID = "d1"
		if err := store.AppendPositions(t.Context(), []tracking.Position{{DriverID: "d1"}, position}, nil); err == nil {
			t.Errorf("%s was stored as something else", name)
		}
	}
	if drivers, err := store.Drivers(t.Context()); err != nil || len(drivers) != 0 {
		t.Errorf("%d drivers are left, error %v", len(drivers), err)
	}
}
