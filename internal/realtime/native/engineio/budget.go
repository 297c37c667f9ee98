package engineio

import "sync/atomic"

// freeBytes is how much of what is coming in one client may have the server hold without having it counted.
const freeBytes = 128 << 10

// Budget is how many bytes of long messages the server holds at a time while they are coming in. There are few of them;
// while very many clients send some at once, a message may have 128 KiB. A nil Budget is without bound.
type Budget struct {
	max  int64
	used atomic.Int64
}

// NewBudget returns a Budget of so many bytes.
func NewBudget(most int64) *Budget { return &Budget{max: most} }

// Account is what one client takes of a Budget. It is for one goroutine at a time.
type Account struct {
	budget *Budget
	taken  int64
}

// Account returns one that has taken nothing.
func (b *Budget) Account() Account { return Account{budget: b} }

// Hold says whether the client may have so many bytes held, in the place of what it had held before.
func (a *Account) Hold(bytes int64) bool {
	if a.budget == nil {
		return true
	}
	if bytes <= freeBytes {
		bytes = 0
	}
	more := bytes - a.taken
	if more > 0 && a.budget.used.Add(more) > a.budget.max {
		a.budget.used.Add(-more)
		return false
	}
	if more < 0 {
		a.budget.used.Add(more)
	}
	a.taken = bytes
	return true
}
