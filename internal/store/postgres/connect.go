package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// connections is how many are opened where the URL does not say (pool_max_conns); reserved are those that reads leave to
	// writes and to Ping. One process never writes more at a time than the services have queues.
	connections = 16
	reserved    = 6
	// connectTimeout bounds the wait for a new connection, where the URL does not say (connect_timeout).
	connectTimeout = 5 * time.Second
	// statementTimeout ends a statement that takes longer, in the server; operationTimeout is for a server that does not
	// answer at all, and bounds a read, or a transaction, as a whole.
	statementTimeout = 10 * time.Second
	operationTimeout = 20 * time.Second
	pingTimeout      = 3 * time.Second
	// leastVersion is the oldest server that is known to do, as server_version_num has it.
	leastVersion = 150000
)

// parse reads the URL, and sets what it leaves open. What a setting of the server says for the role or the database, such
// as statement_timeout, is set by the URL's parameters: postgres://…?statement_timeout=30s.
func parse(from string) (*pgxpool.Config, error) {
	settings, err := pgxpool.ParseConfig(from)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err) // pgx takes the password out
	}
	given := url.Values{}
	if parsed, err := url.Parse(from); err == nil {
		given = parsed.Query()
	}
	if !given.Has("pool_max_conns") {
		settings.MaxConns = connections
	}
	if settings.MaxConns <= reserved {
		return nil, fmt.Errorf("read the database's URL: pool_max_conns is %d, must be more than %d", settings.MaxConns, reserved)
	}
	if !given.Has("connect_timeout") {
		settings.ConnConfig.ConnectTimeout = connectTimeout
	}
	defaults := map[string]string{
		"application_name":                    "rolecall",
		"statement_timeout":                   milliseconds(statementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(2 * operationTimeout),
	}
	maps.Copy(defaults, settings.ConnConfig.RuntimeParams)
	settings.ConnConfig.RuntimeParams = defaults
	settings.AfterConnect = flushCommits
	return settings, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// describe names the database as errors and the log do.
func describe(settings *pgxpool.Config) string {
	c := settings.ConnConfig
	return fmt.Sprintf("%s on %s:%d", c.Database, c.Host, c.Port)
}

// unreached is why there is no connection, in a line: pgx writes one for each way that it has tried.
type unreached struct{ cause error }

// Error implements error.
func (u *unreached) Error() string {
	var lines []string
	for line := range strings.Lines(u.cause.Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// Unwrap returns the cause.
func (u *unreached) Unwrap() error { return u.cause }

// connect makes a connection beside the pool.
func connect(ctx context.Context, to *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, to)
	if err != nil {
		return nil, &unreached{err}
	}
	return conn, nil
}

// flushCommits makes sure that a commit which is reported survives the loss of power, also where somebody has set the server
// not to care.
func flushCommits(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
	if err != nil {
		return fmt.Errorf("have commits flushed: %w", err)
	}
	return nil
}

// checkServer fails for a server that is too old, or whose database does not hold all characters.
func checkServer(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var encoding string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')`).
		Scan(&version, &encoding)
	switch {
	case err != nil:
		return fmt.Errorf("ask for the server's version: %w", err)
	case version < leastVersion:
		return fmt.Errorf("the server has version %d.%d, at least %d is needed", version/10000, version%10000, leastVersion/10000)
	case encoding != "UTF8":
		return errors.New("the database has the encoding " + encoding + ", UTF8 is needed: create it with ENCODING 'UTF8' TEMPLATE template0")
	default:
		return nil
	}
}
