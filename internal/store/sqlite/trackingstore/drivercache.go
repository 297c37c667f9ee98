package trackingstore

import (
	"sync"

	"rolecall/internal/services/tracking"
)

// driverCache remembers which drivers are in the file, and as what, so that the stream of their positions does not look
// each of them up. It holds one entry a driver. The zero value is empty.
type driverCache struct {
	// appending is held by who appends positions, from before the transaction until what it saved is remembered.
	appending sync.Mutex

	mu    sync.Mutex
	saved map[string]cachedDriver
}

type cachedDriver struct {
	companyID, username string
	number              int64
}

// savedDrivers is what a transaction has found or written.
type savedDrivers struct {
	named   map[string]tracking.Driver
	numbers map[string]int64
}

// find returns the numbers of those drivers who are in the file just as given.
func (c *driverCache) find(drivers map[string]tracking.Driver) map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	numbers := make(map[string]int64, len(drivers))
	for id := range drivers {
		known, cached := c.saved[id]
		if cached && known.companyID == drivers[id].CompanyID && known.username == drivers[id].Username {
			numbers[id] = known.number
		}
	}
	return numbers
}

// remember notes what a committed transaction has saved.
func (c *driverCache) remember(saved savedDrivers) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.saved == nil {
		c.saved = make(map[string]cachedDriver)
	}
	for id := range saved.named {
		driver := saved.named[id]
		c.saved[id] = cachedDriver{driver.CompanyID, driver.Username, saved.numbers[id]}
	}
}

// forget has a driver be looked up anew.
func (c *driverCache) forget(driverID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.saved, driverID)
}
