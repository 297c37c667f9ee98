package doctor

import (
	"context"
	"slices"
	"time"

	"rolecall/internal/store/postgres"
	"rolecall/internal/store/sqlite"
)

// stored looks at the database without changing anything, whether a server uses it or not, and at the clock by it.
func stored(ctx context.Context, o Options) []Finding {
	if o.Config.DatabaseURL != "" {
		keys, err := postgres.TextKeys(ctx, o.Config.DatabaseURL)
		return slices.Concat(sharedDatabase(ctx, o), encryption(o, keys, err), clock(o, sqlite.State{}))
	}
	state, err := sqlite.Inspect(ctx, o.DatabasePath)
	return slices.Concat(database(o, state, err), encryption(o, state.TextKeys, err), clock(o, state))
}

func database(o Options, state sqlite.State, err error) []Finding {
	const check = "database"
	switch {
	case err != nil:
		todo := "Look whether the path is right and the file readable for the server's user."
		if state.Damaged {
			todo = "Stop the server, keep a copy of the file and of those beside it, and restore a backup."
		}
		return one(check, Failed, todo, "%s: %s", o.DatabasePath, err)
	case !state.There:
		return one(check, Fine, "", "%s is not there yet: the server makes it", o.DatabasePath)
	case state.Version > state.Known:
		return one(check, Failed, "Use the program that has served it, or a newer one.", "its schema has version %d, this program knows %d", state.Version, state.Known)
	case state.Version < state.Known:
		return one(check, Warning, "Make a backup; the server brings it up to date when it starts.", "its schema has version %d, this program has %d", state.Version, state.Known)
	case !state.Checked:
		return one(check, Fine, "", "its schema is up to date (version %d); its content, of %s, was too much to be read in time", state.Version, bytes(state.Size))
	default:
		return one(check, Fine, "", "whole, %s, its schema up to date (version %d)", bytes(state.Size), state.Version)
	}
}

// clockSlack is how far two clocks may differ, and how far ahead of now what was stored may seem to be.
const clockSlack = time.Minute

// clock holds the system's time against what keeps it, and against what the database has seen.
func clock(o Options, state sqlite.State) []Finding {
	const check = "clock"
	const todo = "Have a time service (chrony, systemd-timesyncd) keep the clock: tokens end, and are revoked, by it."
	now := o.Now()
	if newest := time.UnixMilli(state.Newest); newest.Sub(now) > clockSlack {
		return one(check, Failed, todo+" Revocations and retention go by it as well.",
			"the database has seen %s, and it is %s: the clock was set back, or was ahead", newest.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	switch right, err := isSynchronised(); {
	case err != nil:
		return one(check, Skipped, "", "whether something keeps the clock cannot be told: %s", err)
	case !right:
		return one(check, Warning, todo, "nothing keeps the clock, as far as the kernel knows; it is %s", now.UTC().Format(time.RFC3339))
	default:
		return one(check, Fine, "", "kept by a time service; it is %s", now.UTC().Format(time.RFC3339))
	}
}
