package config

import "strings"

const (
	maxNodeName        = 63 // which names of pods have
	nodeNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
)

// isNodeName reports whether a node may be called so, or has no name: it stands in ids of sessions, and so in queries and
// configurations of proxies, as it is.
func isNodeName(name string) bool {
	return len(name) <= maxNodeName &&
		!strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(nodeNameCharacters, r) })
}
