package doctor

import (
	"slices"
	"strings"

	"rolecall/internal/config"
)

// encryption holds the keys that messages are encrypted with against those that are configured.
func encryption(o Options, stored []string, err error) []Finding {
	const check = "encryption"
	keys := o.Config.TextKeys
	missing, others := "", 0
	for _, id := range stored {
		switch {
		case !keys.Has(id):
			missing += ", " + id
		case id != keys.First():
			others++
		}
	}
	switch {
	case err != nil:
		return one(check, Skipped, "", "which keys messages are encrypted with cannot be told: %s", err)
	case missing != "":
		return one(check, Failed, "Name these keys in "+config.Variable("encryption-keys")+" again: without them the messages stay unreadable.",
			"messages are encrypted with keys that are not configured: %s", strings.TrimPrefix(missing, ", "))
	case others > 0:
		return one(check, Warning, "Run server reencrypt, which servers need not stop for.", "not all messages are kept as they are to be from now on, by the first of the keys")
	case keys.First() == "" || slices.Equal(stored, []string{""}):
		return one(check, Fine, "", "messages are not encrypted")
	default:
		return one(check, Fine, "", "messages are encrypted with the key %s", keys.First())
	}
}
