package tracking

import "testing"

// TestPositionsOfTwoCompaniesAreToldApart: a slow watcher of all fleets is sent, of each key, the newest value alone.
func TestPositionsOfTwoCompaniesAreToldApart(t *testing.T) {
	t.Parallel()
	keys := make(map[string]bool)
	for _, company := range []string{"acme", "umbra", "acme"} {
		n := &newest{Position: Position{DriverID: "dora", CompanyID: company, Lat: 1, Lng: 2}}
		value, err := n.value()
		if err != nil || len(value.JSON) == 0 {
			t.Fatalf("%s: %q, %v", company, value.JSON, err)
		}
		keys[value.Key] = true
	}
	if len(keys) != 2 {
		t.Errorf("the keys of one driver of two companies: %v", keys)
	}
}
