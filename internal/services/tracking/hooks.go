package tracking

import "context"

// Step is an accepted position beside what was known before it. Both are of one driver and one company.
type Step struct {
	// Before is the newest position until then; nil for the first.
	Before *Position
	Now    Position
	// Late: Now is older than Before. It belongs into the history, and is not where the driver is.
	Late bool
}

// FixHook hears of every accepted fix of every driver, those of a batch one by one: here geofences, alerts and trips come
// in. The fixes of a driver come one at a time and in the order in which they were taken, late ones included; each that is
// not late has the one before it as its Before. A fix sent again comes again only if it is late. Of several nodes the one that
// takes a fix in calls its hooks.
//
// A hook runs after the watchers have been shown the driver's newest position, in the goroutine of whoever sent it. While
// it runs only that driver's next fixes and changes of status wait.
type FixHook interface {
	Fix(ctx context.Context, step Step)
}

// StatusHook hears of every change of a driver's status, in order: each begins where the one before it has ended. It comes
// between the fixes where it belongs, and runs as a FixHook does, behind the watchers' tracking:status. Of
// several nodes each calls its hooks for how the driver stands there.
type StatusHook interface {
	StatusChanged(ctx context.Context, change Transition)
}
