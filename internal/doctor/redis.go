package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"rolecall/internal/bus"
	busredis "rolecall/internal/bus/redis"
	"rolecall/internal/config"
	"rolecall/internal/redisurl"
)

// redis looks at the Redis in which servers meet: what it is, what is allowed there, who is there, and what time it has.
func redis(ctx context.Context, o Options) []Finding {
	const check = "redis"
	if o.Config.RedisURL == "" {
		return nil
	}
	options, cluster, err := redisurl.Parse(o.Config.RedisURL)
	if err != nil {
		return one(check, Failed, "Correct "+config.Variable("redis-url")+".", "the URL %s", err)
	}
	client, err := rueidis.NewClient(options)
	if err != nil {
		return one(check, Failed, "Look whether it runs and is reached from here, and whether "+config.Variable("redis-url")+
			" names it, its user and password.", "%s", err)
	}
	defer client.Close()
	found := mode(ctx, client, options.Sentinel.MasterSet != "", cluster)
	if o.Config.DatabaseURL == "" {
		found = append(found, one(check, Warning, "Set "+config.Variable("database-url")+" as well, so that they share what is stored.",
			"servers that meet in it have a database file each, and so nothing in common to tell of")...)
	}
	found = append(found, rights(ctx, client, o.Config.RedisPrefix)...)
	found = append(found, present(ctx, client, o.Config.RedisPrefix)...)
	return append(found, sharedClock(o, "redis", func() (time.Time, error) {
		told, err := client.Do(ctx, client.B().Time().Build()).AsIntSlice()
		if err != nil || len(told) != 2 {
			return time.Time{}, err
		}
		return time.Unix(told[0], told[1]*int64(time.Microsecond)), nil
	})...)
}

// oldestRedis is the first version that has what is used.
const oldestRedis = "7"

// mode says what kind of server answers, and whether the URL says the same.
func mode(ctx context.Context, client rueidis.Client, sentinel, cluster bool) []Finding {
	const check = "redis"
	told, err := client.Do(ctx, client.B().Hello().Build()).AsMap()
	if err != nil {
		return one(check, Failed, "Look at Redis' log.", "it does not say what it is: %s", err)
	}
	text := func(name string) string {
		value := told[name]
		found, _ := value.ToString() // "" where there is none
		return found
	}
	version, kind := text("version"), text("mode")
	if is := kind == "cluster"; is != cluster {
		return one(check, Failed, "Have "+config.Variable("redis-url")+" say cluster=true just where the server is a cluster.",
			"answers in the mode %s, version %s, and the URL says otherwise", kind, version)
	}
	if major, _, _ := strings.Cut(version, "."); len(major) == 1 && major < oldestRedis {
		return one(check, Failed, "Use Redis "+oldestRedis+" or newer.", "is version %s", version)
	}
	switch {
	case cluster:
		kind = "a cluster"
	case sentinel:
		kind = "one server that Sentinels know"
	default:
		kind = "one server"
	}
	return one(check, Fine, "", "answers: %s, version %s", kind, version)
}

// rights looks whether the user may do what servers do.
func rights(ctx context.Context, client rueidis.Client, prefix string) []Finding {
	const check = "redis"
	todo := "Give the user its rights: ACL SETUSER name " + busredis.Rights(prefix)
	missing, err := busredis.MissingRights(ctx, client, prefix)
	switch {
	case err != nil:
		return one(check, Failed, todo, "whether all is allowed cannot be asked: %s", err)
	case len(missing) > 0:
		return one(check, Failed, todo, "the user is not allowed %s", strings.Join(missing, ", "))
	default:
		return one(check, Fine, "", "allows all that servers do there")
	}
}

// present says which servers are there.
func present(ctx context.Context, client rueidis.Client, prefix string) []Finding {
	const check = "nodes"
	nodes, err := busredis.Present(ctx, client, prefix)
	switch {
	case err != nil:
		return one(check, Skipped, "", "which servers are there cannot be told: %s", err)
	case len(nodes) == 0:
		return one(check, Fine, "", "no server meets others there now")
	}
	for i, node := range nodes {
		nodes[i] = bus.NameOf(node)
	}
	return one(check, Fine, "", "%d there now: %s", len(nodes), strings.Join(nodes, ", "))
}
