//go:build !linux && !darwin

package disk

// SpaceOf fails with ErrUnknown.
func SpaceOf(string) (Space, error) { return Space{}, ErrUnknown }
