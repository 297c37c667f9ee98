package doctor

import (
	"context"
	"strings"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/schema"
)

// sharedDatabase looks at a database that servers share, and holds the system's time against that of its machine.
func sharedDatabase(ctx context.Context, o Options) []Finding {
	const check = "database"
	url := o.Config.DatabaseURL
	migrations, err := postgres.Migrations(ctx, url)
	if err != nil {
		return one(check, Failed, "Look whether the server runs and is reached from here, and whether "+config.Variable("database-url")+
			" names it, its user and password.", "%s", err)
	}
	return append(whereItStands(schema.State(migrations)), sharedClock(o, "database", func() (time.Time, error) {
		return postgres.Now(ctx, url)
	})...)
}

func whereItStands(state string) []Finding {
	const check = "database"
	switch state {
	case schema.UpToDate:
		return one(check, Fine, "", "PostgreSQL, its schema up to date")
	case schema.Newer:
		return one(check, Failed, "Use the program that has served it, or a newer one.", "its schema is newer than this program")
	case schema.InPart:
		return one(check, Failed, "Restore a backup.", "its schema was migrated in part")
	default:
		return one(check, Warning, "Make a backup; the server brings it up to date when it starts.", "its schema has %s", state)
	}
}

// sharedClock holds the system's time against that of another machine.
func sharedClock(o Options, of string, ask func() (time.Time, error)) []Finding {
	const check = "clock"
	theirs, err := ask()
	if err != nil {
		return one(check, Skipped, "", "what time it is for the %s cannot be told: %s", of, err)
	}
	now := o.Now()
	if apart := now.Sub(theirs).Abs(); apart > clockSlack {
		return one(check, Failed, "Have a time service (chrony, systemd-timesyncd) keep the clocks of all machines.",
			"it is %s here and %s for the %s", now.UTC().Format(time.RFC3339), theirs.UTC().Format(time.RFC3339), of)
	}
	return one(check, Fine, "", "that of the %s says the same", strings.ToLower(of))
}
