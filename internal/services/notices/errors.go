package notices

import "errors"

// ErrKeyReused tells that an idempotency key was used before for another request.
var ErrKeyReused = errors.New("idempotency key reused for another request")
