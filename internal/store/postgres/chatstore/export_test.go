package chatstore

// Statements are all that the store runs.
func Statements() []string { return statements() }
