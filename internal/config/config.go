// Package config reads the program's settings from flags and environment variables. No variable is read anywhere else.
package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"rolecall/internal/atrest"
	"rolecall/internal/auth"
	"rolecall/internal/clientip"
	"rolecall/internal/limit"
	"rolecall/internal/origin"
	"rolecall/internal/redisurl"
	"rolecall/internal/roles"
)

// Prefix begins every environment variable of the program.
const Prefix = "ROLECALL_"

// Config is every setting of the server. The tags say what kong needs for a flag: its default, its line in the help, and
// its name where that is not the field's. Besides the flag there is a variable of the same name.
type Config struct {
	// Addr is the public listener, host:port.
	Addr string `group:"Server:" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Public listener."`
	// AdminAddr is the listener for operators, host:port; empty for none.
	AdminAddr string `group:"Server:" placeholder:"HOST:PORT" help:"Listener of its own for metrics and profiles, which is not for the public; none where not given."`
	// AdminUI is how much of the official Socket.IO Admin UI there is: one of the constants of that name.
	AdminUI string `group:"Server:" name:"admin-ui" enum:"off,stats,readonly,on" default:"on" placeholder:"MODE" help:"Socket.IO Admin UI at /admin/ui/, for admins: on, readonly, stats for figures alone, or off."`
	// AdminUIPasswordFile is where AdminUIPasswords are read from: the bcrypt hash of each admin who signs in there by name.
	AdminUIPasswordFile string            `group:"Server:" name:"admin-ui-password-file" placeholder:"FILE" help:"File of admins who sign in to the Admin UI by name and password, a line each as htpasswd -nB writes it; by token alone where not given."`
	AdminUIPasswords    map[string][]byte `kong:"-"`
	// NodeName tells this server from others behind the same proxy; empty where there are none.
	NodeName string `group:"Server:" placeholder:"NAME" help:"Name of this node, with which the ids of its sessions begin, so that a proxy finds it again: letters, digits and dashes."`
	// DataDir holds the database file and the generated secret.
	DataDir string `group:"Server:" default:"./data" placeholder:"FOLDER" help:"Folder of the database and the generated secret."`

	// MinFreeDisk is how many bytes should be free on the disk of DataDir; 0 where nobody minds.
	MinFreeDisk int64 `group:"Server:" type:"sizeOrOff" default:"512MiB" placeholder:"SIZE" help:"Free space of the data folder's disk below which /readyz says degraded, such as 2GiB, or off."`
	// DatabaseURL is the PostgreSQL database that several servers may share; empty for the file in DataDir.
	DatabaseURL string `group:"Server:" name:"database-url" placeholder:"URL" help:"PostgreSQL database instead of the file: postgres://user:password@host:5432/name."`

	// EncryptionKeys are those that messages are encrypted with in the database, id:base64, the first of which writes;
	// EncryptionKeysFile is where they are read from instead. TextKeys is what comes of either, nil for none.
	EncryptionKeys     string       `group:"Server:" placeholder:"KEYS" help:"Keys that messages are encrypted with in the database, id:base64 of 32 bytes, comma-separated: the first writes, all read. With plain as the first nothing more is encrypted."`
	EncryptionKeysFile string       `group:"Server:" placeholder:"FILE" help:"File with those keys, a line each, which others on the machine do not see as they do a command line."`
	TextKeys           *atrest.Keys `kong:"-"`

	// JWTSecret is the shared HS256 key; empty where one is generated into DataDir or a JWKS is used.
	JWTSecret string `group:"Tokens:" placeholder:"SECRET" help:"Shared HS256 secret, at least 32 bytes; generated into the data folder where not given."`
	// JWTSecretFile is where a secret is read from, into FileSecret.
	JWTSecretFile string `group:"Tokens:" placeholder:"FILE" help:"File with the shared secret, which others on the machine do not see as they do a command line."`
	JWKSURL       string `group:"Tokens:" name:"jwks-url" placeholder:"URL" help:"URL of an identity provider's keys, instead of a secret."`
	// JWTPublicKeyFile is where PublicKeys are read from.
	JWTPublicKeyFile string `group:"Tokens:" placeholder:"FILE" help:"File with public keys as PEM, instead of a secret: of an issuer that serves none."`
	FileSecret       []byte `kong:"-"`
	PublicKeys       []byte `kong:"-"`
	// JWTAlgorithms pins the accepted algorithms; empty for the default of the kind of key.
	JWTAlgorithms []string `group:"Tokens:" name:"jwt-algs" sep:"none" placeholder:"NAMES" help:"Accepted token algorithms, comma-separated."`
	JWTIssuer     string   `group:"Tokens:" placeholder:"NAME" help:"The issuer a token must name."`
	JWTAudience   string   `group:"Tokens:" placeholder:"NAME" help:"The audience a token must name."`

	JWTClaimUser    auth.Claim `group:"Tokens:" sep:"none" default:"sub,userId" placeholder:"PATHS" help:"Where the user's id is: paths such as a.b, comma-separated; names with dots or slashes quoted."`
	JWTClaimName    auth.Claim `group:"Tokens:" sep:"none" default:"username,preferred_username,name" placeholder:"PATHS" help:"Where the display name is; the id where there is none."`
	JWTClaimRole    auth.Claim `group:"Tokens:" sep:"none" default:"role" placeholder:"PATHS" help:"Where the role is; of a list the first that is one."`
	JWTClaimCompany auth.Claim `group:"Tokens:" sep:"none" default:"companyId" placeholder:"PATHS" help:"Where the company of drivers and company users is."`
	// JWTRoleMap has the role that stands for each name in it.
	JWTRoleMap map[string]roles.Role `group:"Tokens:" name:"jwt-role-map" mapsep:"none" placeholder:"NAME=ROLE" help:"Roles by other names, comma-separated: ops=admin,fleet-manager=company."`
	// DefaultRole is the role of tokens that carry none; empty where they are refused.
	DefaultRole roles.Role `group:"Tokens:" type:"roleOrOff" default:"off" placeholder:"ROLE" help:"Role of tokens that carry none, or off."`
	// JWTLeeway is how far ahead of this clock a token may begin to be valid.
	JWTLeeway time.Duration `group:"Tokens:" default:"30s" placeholder:"TIME" help:"How far ahead of this clock a token may begin to be valid (nbf)."`
	// JWTMaxLifetime is 0 where a token may last as long as its issuer says.
	JWTMaxLifetime time.Duration `group:"Tokens:" type:"timeOrOff" default:"off" placeholder:"TIME" help:"How long a token may last, or off."`

	// SignInURL is a page where people sign in, which sends them back with a token; the page at / leads there.
	SignInURL string `group:"Tokens:" name:"sign-in-url" placeholder:"URL" help:"Page where people sign in; it sends them back to / with #token= and a token. {return} in it stands for the address to come back to."`

	// AllowedOrigins are the origins whose pages may connect, besides the server's own, and the words of package origin.
	AllowedOrigins []string `group:"Who may connect:" sep:"none" placeholder:"ORIGINS" help:"Origins whose pages may connect besides the server's own, comma-separated; localhost for those of development servers, null for pages without an origin, * for all."`
	// TrustedProxies are the peers whose forwarding headers are believed.
	TrustedProxies []netip.Prefix `group:"Who may connect:" sep:"none" placeholder:"ADDRESSES" help:"Addresses and networks whose forwarding headers are believed, comma-separated."`

	// HandshakesPerIP is how often a client address may open a session; the zero Rate sets no limit.
	HandshakesPerIP limit.Rate `group:"Who may connect:" type:"rateOrOff" default:"100/1s:1000" placeholder:"RATE" help:"Rate of new sessions a client address: requests/period:burst, or off."`
	// PacketsPerConnection and PacketsPerUser are how fast a connection, and a user over all connections, may send packets of
	// any kind; beyond it reading waits. The zero Rate sets no limit.
	PacketsPerConnection limit.Rate `group:"Who may connect:" type:"rateOrOff" default:"1000/1s:10000" placeholder:"RATE" help:"Rate of packets of any kind on a connection, beyond which reading waits: requests/period:burst, or off."`
	PacketsPerUser       limit.Rate `group:"Who may connect:" type:"rateOrOff" default:"3000/1s:30000" placeholder:"RATE" help:"The same over all connections of a user."`
	// MaxConnectionsPerIP is how many sessions a client address may have open; 0 sets no limit.
	MaxConnectionsPerIP int `group:"Who may connect:" type:"countOrOff" default:"off" placeholder:"NUMBER" help:"Number of open sessions a client address, or off."`
	// MaxSocketsPerUser is how many sockets a user may have open, over all namespaces.
	MaxSocketsPerUser int `group:"Who may connect:" default:"20" placeholder:"NUMBER" help:"Number of open sockets a user."`

	// Engine names the implementation of realtime.Engine that serves the sockets.
	Engine string `group:"Server:" enum:"native,zishang520" default:"native" placeholder:"NAME" help:"Socket.IO server: native, or zishang520, the library of that name."`

	// RedisURL is where nodes meet that serve the same people, as package redisurl reads it; empty for one that runs alone.
	RedisURL string `group:"Server:" name:"redis-url" placeholder:"URL" help:"Redis where several servers meet: redis://user:password@host:6379, rediss:// for TLS, with ?cluster=true or ?master_set=NAME."`
	// RedisPrefix begins every key and channel there.
	RedisPrefix string `group:"Server:" default:"rolecall" placeholder:"NAME" help:"Beginning of every key and channel in Redis: servers with the same one serve the same people."`

	// RateShared has the rates of a user be those of all servers together.
	RateShared bool `group:"Rates of a user, requests/period:burst:" help:"Have the rates of a user be those over all servers that meet in Redis, instead of each one's."`

	// RedisBridge are the domains whose rooms are shared with other servers of Socket.IO in the same Redis.
	RedisBridge []string `group:"Server:" type:"domainsOrOff" sep:"none" name:"redis-bridge" default:"off" placeholder:"DOMAINS" help:"What is shared with other servers of Socket.IO through Redis, as @socket.io/redis-adapter does: chat, notices, or both, comma-separated; off for nothing."`
	// RedisBridgeKey begins the names of the channels that they have in common.
	RedisBridgeKey string `group:"Server:" name:"redis-bridge-key" default:"socket.io" placeholder:"NAME" help:"The key that those servers give to their adapter."`
	// RedisBridgeRooms are the rooms that those may name; the default where there are none.
	RedisBridgeRooms []string `group:"Server:" name:"redis-bridge-rooms" sep:"none" placeholder:"ROOMS" help:"Rooms that those servers may name, comma-separated, with * behind a beginning; everyone for what names none. Where not given chat:* and user:* for chat, user:* for notices."`
	// RedisBridgeEvents are those of the server's own events that those may send.
	RedisBridgeEvents []string `group:"Server:" name:"redis-bridge-events" sep:"none" placeholder:"EVENTS" help:"Events of this server's own (chat:, system: and so on) that those servers may send to its clients, comma-separated, with * behind a beginning; any others they may."`

	// CompressFrom is the size in bytes from which messages are compressed for clients that offer it; 0 compresses none.
	CompressFrom int `group:"Server:" default:"0" placeholder:"BYTES" help:"Size from which messages are compressed for WebSocket clients that offer it; 0 compresses none."`

	// PingInterval and PingTimeout are how a connection is found dead: this long after the last pong a ping is sent, which
	// must be answered within that time.
	PingInterval time.Duration `group:"Server:" default:"25s" placeholder:"TIME" help:"Time from a client's pong to the next ping."`
	PingTimeout  time.Duration `group:"Server:" default:"20s" placeholder:"TIME" help:"Time in which a ping must be answered."`

	// PresenceGrace is how long somebody still counts as online whose last connection has ended.
	PresenceGrace     time.Duration `group:"Tracking and chat:" default:"5s" placeholder:"TIME" help:"How long somebody may have no connection before others are told that they are offline, up to 1m; 0 for not at all."`
	TrackingFlush     time.Duration `group:"Tracking and chat:" default:"100ms" placeholder:"TIME" help:"Least time between two position events of a room; 0 sends each at once."`
	PositionRetention time.Duration `group:"Tracking and chat:" default:"720h" placeholder:"TIME" help:"How long positions are kept; 0 for ever."`
	// MessageRetention is 0 where messages are kept for ever.
	MessageRetention time.Duration `group:"Tracking and chat:" type:"timeOrKept" default:"kept" placeholder:"TIME" help:"How long messages are kept: a time, or kept."`
	// ChatOpenRooms is who may enter rooms that are neither direct nor groups.
	ChatOpenRooms roles.OpenRooms `group:"Tracking and chat:" default:"true" placeholder:"RULES" help:"Let every user into rooms that are neither direct nor groups: true, false, or by the beginning of their ids and by role, such as orders-=vendor+provider,*=everyone."`
	// ChatReach is who may write directly to whom.
	ChatReach roles.Messaging `group:"Tracking and chat:" default:"everyone" placeholder:"RULES" help:"Who may write directly to whom: everyone, or for roles that may not write to everybody those they may write to, such as driver=own:company+admin,vendor=provider+admin."`
	// PublicRoles are the roles whose people everybody finds.
	PublicRoles []roles.Role `group:"Tracking and chat:" type:"rolesOrOff" sep:"none" default:"provider,vendor" placeholder:"ROLES" help:"Roles that serve the public, whose people everybody finds by name, comma-separated, or off."`
	// BlobURL is where attachments are kept, as package blobs reads it; empty for a folder in DataDir.
	BlobURL string `group:"Attachments:" name:"blob-url" placeholder:"URL" help:"Where attachments are kept: file:///path/of/a/folder, which all servers have, or s3://bucket?region=...; a folder in the data folder where not given, unless there are other servers."`
	// AttachmentSize is how large one is at most, in bytes.
	AttachmentSize int64 `group:"Attachments:" type:"size" default:"50MiB" placeholder:"SIZE" help:"Largest attachment."`
	// AttachmentTypes are the media types that are taken, * standing for the rest of one; none for all.
	AttachmentTypes []string `group:"Attachments:" type:"mediaOrAll" sep:"none" default:"all" placeholder:"TYPES" help:"Media types of attachments that are taken, by what is in them, comma-separated, such as image/*,application/pdf, or all."`
	// AttachmentUnsent is how long one is kept that is in no message.
	AttachmentUnsent time.Duration `group:"Attachments:" default:"24h" placeholder:"TIME" help:"How long an attachment is kept that nobody puts into a message."`
	// ImageMemory is how much memory a picture may take to be made small, in bytes.
	ImageMemory int64 `group:"Attachments:" type:"size" default:"40MiB" placeholder:"SIZE" help:"Memory in which the points of a picture must have room for a thumbnail to be made of it, or for it to be turned upright."`
	// AuditRetention is 0 where what admins do is kept for ever.
	AuditRetention time.Duration `group:"Server:" type:"timeOrKept" default:"kept" placeholder:"TIME" help:"How long it is kept what admins have done: a time, or kept."`
	InboxBacklog   time.Duration `group:"Tracking and chat:" default:"168h" placeholder:"TIME" help:"How far back notices are unread for somebody seen for the first time."`
	// Rates has the rate of every kind; the flags are those of rateFlags.
	Rates map[limit.Kind]limit.Rate `kong:"-"`

	// ShutdownTimeout bounds the whole of a stop. DrainDelay, from which on the server says that it is not ready and still
	// takes clients, and DrainPeriod, over which it sends them away, are parts of it.
	// OTLPEndpoint is where traces are sent, empty where there are none; OTLPHeaders go with them, from OTLPHeadersFile.
	OTLPEndpoint    string            `group:"Server:" name:"otlp-endpoint" placeholder:"URL" help:"Collector that takes OpenTelemetry traces by OTLP over HTTP; none are made where not given."`
	OTLPHeadersFile string            `group:"Server:" name:"otlp-headers-file" placeholder:"FILE" help:"File with headers for the collector, such as its key, a line each: Name: value."`
	OTLPHeaders     map[string]string `kong:"-"`
	// TraceRatio is which part of what clients ask for is traced, above 0 and up to 1.
	TraceRatio float64 `group:"Server:" default:"0.01" placeholder:"NUMBER" help:"Part of events and requests that are traced, up to 1."`

	ShutdownTimeout time.Duration `group:"Server:" default:"20s" placeholder:"TIME" help:"Time for an orderly stop, with the two below in it."`
	DrainDelay      time.Duration `group:"Server:" default:"0s" placeholder:"TIME" help:"Time at the beginning of a stop in which proxies notice that /readyz is 503; who comes is still let in."`
	DrainPeriod     time.Duration `group:"Server:" default:"0s" placeholder:"TIME" help:"Time after that over which clients are sent away, evenly and in random order; 0s sends all at once."`
	LogLevel        slog.Level    `group:"Server:" default:"info" placeholder:"LEVEL" help:"Least level of log lines: debug, info, warn, error."`
	// LogFormat is text or json.
	LogFormat string `group:"Server:" enum:"text,json" default:"text" placeholder:"FORM" help:"Form of log lines: text or json."`
	// Demo runs with throw-away data, ready-made people and a simulated fleet.
	Demo bool `group:"Demo:" help:"Throw-away data, ready-made people of every role, a simulated fleet."`
	// DemoDrivers is the size of the simulated fleet.
	DemoDrivers int `group:"Demo:" default:"24" placeholder:"NUMBER" help:"Number of simulated drivers in the demo."`
}

// Settings are the flags of a command that takes all of them; kong fills and checks them.
type Settings struct {
	Config    `embed:"" envprefix:"ROLECALL_"`
	RateFlags rateFlags `embed:"" envprefix:"ROLECALL_" prefix:"rate-" group:"Rates of a user, requests/period:burst:"`

	unknown []Warning
	exposed []Warning
}

// rateFlags are the rates of the kinds; their defaults are those of the wire contract, given to kong by defaultRates.
type rateFlags struct {
	Chat     limit.Rate `default:"${chat}" placeholder:"RATE" help:"Messages."`
	Typing   limit.Rate `default:"${typing}" placeholder:"RATE" help:"Typing signs."`
	Join     limit.Rate `default:"${join}" placeholder:"RATE" help:"Rooms joined, left and made."`
	Location limit.Rate `default:"${location}" placeholder:"RATE" help:"Positions sent as they are taken."`
	Backlog  limit.Rate `default:"${backlog}" placeholder:"RATE" help:"Positions sent later: arrays, and single ones of more than 5 s ago."`
	Read     limit.Rate `default:"${read}" placeholder:"RATE" help:"Lists, history and read marks."`
	Search   limit.Rate `default:"${search}" placeholder:"RATE" help:"Searches among messages."`
	Other    limit.Rate `default:"${other}" placeholder:"RATE" help:"Everything else."`
	Upload   limit.Rate `default:"${upload}" placeholder:"RATE" help:"Attachments uploaded, and megabytes of them."`
	Connect  limit.Rate `default:"${connect}" placeholder:"RATE" help:"Connects to namespaces."`
	Failure  limit.Rate `default:"${failure}" placeholder:"RATE" help:"Bad events; beyond it the connection is closed for abuse."`
	Shed     limit.Rate `default:"${shed}" placeholder:"RATE" help:"Events beyond their rate, each answered so; beyond it the connection is closed for abuse."`
}

func (r rateFlags) byKind() map[limit.Kind]limit.Rate {
	return map[limit.Kind]limit.Rate{
		limit.Chat: r.Chat, limit.Typing: r.Typing, limit.Join: r.Join, limit.Location: r.Location, limit.Backlog: r.Backlog,
		limit.Read: r.Read, limit.Search: r.Search, limit.Other: r.Other, limit.Failure: r.Failure, limit.Shed: r.Shed, limit.Connect: r.Connect,
		limit.Upload: r.Upload,
	}
}

func defaultRates() kong.Vars {
	vars := kong.Vars{}
	for kind, rate := range limit.Defaults() {
		vars[string(kind)] = rate.String()
	}
	return vars
}

// Default returns the settings of a server with nothing configured.
func Default() Config {
	c, _, err := Parse(nil, nil, io.Discard)
	if err != nil {
		panic(fmt.Sprintf("config: the defaults: %v", err)) // a tag is wrong: no program gets past its first test
	}
	return c
}

// Warning is a setting that is worth a word at start.
type Warning string

// Parse reads args and environ (as from os.Environ), as ParseCommand does, where there are the settings alone.
func Parse(args, environ []string, out io.Writer) (Config, []Warning, error) {
	var s Settings
	if _, err := ParseCommand(&s, args, environ, out); err != nil {
		return Config{}, nil, err
	}
	return s.Config, s.Warnings(), nil
}

// Help is what -help says above the flags.
func (*Settings) Help() string {
	return "Every flag is also an environment variable: --data-dir is " + Variable("data-dir") + ". A single dash does as well."
}

// Validate makes the settings complete and checks them; kong calls it.
func (s *Settings) Validate() error {
	s.Rates = s.RateFlags.byKind()
	if err := s.readEncryptionKeys(); err != nil {
		return err
	}
	if err := s.readKeys(); err != nil {
		return err
	}
	if err := s.readHeaders(); err != nil {
		return err
	}
	if err := s.readAdminPasswords(); err != nil {
		return err
	}
	return s.check()
}

// AfterApply looks for variables that no setting has, and for secrets on the command line; kong calls it.
func (s *Settings) AfterApply(command *kong.Context, environ environment) error {
	s.unknown, s.exposed = environ.unknown(command.Flags()), exposed(command)
	return nil
}

// Warnings names variables that no setting has, and insecure choices.
func (s *Settings) Warnings() []Warning { return slices.Concat(s.unknown, s.exposed, s.insecure()) }

// check finds values that are well formed and yet unusable.
func (c *Config) check() error {
	switch {
	case !listenAddress(c.Addr):
		return bad("addr", fmt.Sprintf("%q is not of the form host:port, such as 127.0.0.1:8080 or 0.0.0.0:8080", c.Addr))
	case c.AdminAddr != "" && !listenAddress(c.AdminAddr):
		return bad("admin-addr", fmt.Sprintf("%q is not of the form host:port, such as 127.0.0.1:9090", c.AdminAddr))
	case c.AdminAddr != "" && c.AdminAddr == c.Addr && !anyPort(c.Addr):
		return bad("admin-addr", "must not be the public listener's address")
	case !isNodeName(c.NodeName):
		return bad("node-name", fmt.Sprintf("%q is not up to 63 letters, digits and dashes", c.NodeName))
	case c.OTLPEndpoint != "" && !httpURL(c.OTLPEndpoint):
		return bad("otlp-endpoint", "must be an http or https URL")
	case !(c.TraceRatio > 0 && c.TraceRatio <= 1): // nor is what is no number
		return bad("trace-ratio", "must be above 0 and at most 1")
	case c.DataDir == "":
		return bad("data-dir", "must name a folder")
	case c.DatabaseURL != "" && !databaseURL(c.DatabaseURL):
		return bad(databaseFlag, "must be of the form postgres://user:password@host:5432/name")
	case c.MaxSocketsPerUser <= 0:
		return bad("max-sockets-per-user", "must be at least 1")
	case c.CompressFrom < 0:
		return bad("compress-from", "must not be negative")
	case c.ShutdownTimeout <= 0:
		return bad("shutdown-timeout", "must be longer than nothing")
	case c.DrainDelay < 0:
		return bad("drain-delay", "must not be negative")
	case c.DrainPeriod < 0:
		return bad("drain-period", "must not be negative")
	case !c.drainFits():
		return bad("shutdown-timeout", c.drainMisfit())
	case c.DemoDrivers < 0 || c.DemoDrivers > 5000:
		return bad("demo-drivers", "must be from 0 to 5000")
	}
	if err := c.checkTimes(); err != nil {
		return err
	}
	if err := c.checkBridge(); err != nil {
		return err
	}
	if err := c.checkRedis(); err != nil {
		return err
	}
	for _, name := range c.AllowedOrigins {
		if err := origin.Check(name); err != nil {
			return bad("allowed-origins", fmt.Sprintf("%q %s", name, err))
		}
	}
	return c.checkTokens()
}

func (c *Config) checkRedis() error {
	if !prefix(c.RedisPrefix) {
		return bad("redis-prefix", "must be from 1 to 64 letters, digits, dots, dashes, underscores or colons")
	}
	if c.RedisURL == "" {
		if c.RateShared {
			return bad("rate-shared", "must be false where there is no redis-url: servers share rates in Redis")
		}
		return nil
	}
	if _, _, err := redisurl.Parse(c.RedisURL); err != nil {
		return bad(redisFlag, err.Error())
	}
	return nil
}

// prefix says whether a text may begin names in Redis: none of what has a meaning there may stand in it.
func prefix(text string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:"
	return text != "" && len(text) <= 64 && strings.Trim(text, allowed) == ""
}

// checkBridge finds what is wrong with how rooms are shared.
func (c *Config) checkBridge() error {
	switch {
	case len(c.RedisBridge) > 0 && c.RedisURL == "":
		return bad("redis-bridge", "needs "+Variable(redisFlag))
	case !prefix(c.RedisBridgeKey):
		return bad("redis-bridge-key", "must be from 1 to 64 letters, digits, dots, dashes, underscores or colons")
	case !patterns(c.RedisBridgeRooms):
		return bad("redis-bridge-rooms", patternForm)
	case !patterns(c.RedisBridgeEvents):
		return bad("redis-bridge-events", patternForm)
	}
	return nil
}

const patternForm = "must be names of up to 200 characters without blanks, each perhaps with * at its end"

// patterns says whether these are names, or beginnings of some.
func patterns(list []string) bool {
	return !slices.ContainsFunc(list, func(name string) bool {
		return len(name) > 200 || strings.ContainsAny(strings.TrimSuffix(name, "*"), "* \t\r\n")
	})
}

func bad(flagName, reason string) error {
	return &refusal{flag: flagName, variable: Variable(flagName), reason: reason}
}

func (c *Config) insecure() []Warning {
	var all []Warning
	if slices.Contains(c.AllowedOrigins, origin.Any) {
		all = append(all, "pages of every origin may connect (allowed-origins is *)")
	}
	if slices.Contains(c.AllowedOrigins, origin.Null) {
		all = append(all, "pages without an origin may connect, which any page can contain (allowed-origins has null)")
	}
	if c.JWTSecret != strings.TrimSpace(c.JWTSecret) {
		all = append(all, "the blanks around the secret are a part of it (jwt-secret)")
	}
	if strings.HasPrefix(c.JWKSURL, "http://") {
		all = append(all, "the identity provider's keys come over plain HTTP (jwks-url)")
	}
	if len(c.RedisBridge) > 0 && slices.Contains(c.RedisBridgeEvents, "*") {
		all = append(all, "whoever reaches Redis can send clients anything in this server's name (redis-bridge-events is *)")
	}
	if _, hasKey := c.TokenOptions(); !hasKey && (c.DatabaseURL != "" || c.RedisURL != "") {
		all = append(all, "tokens are checked with a secret of this server's own, which other servers that share its database or Redis do not know: give all the same (jwt-secret)")
	}
	if c.AdminAddr != "" && !loopback(c.AdminAddr) {
		all = append(all, "whoever reaches the admin listener sees metrics and profiles, without a token (admin-addr)")
	}
	if clientip.TrustsAll(c.TrustedProxies) {
		all = append(all, "clients can make up their address, since every peer is believed (trusted-proxies)")
	}
	return all
}

// Environ is the process's environment.
func Environ() []string { return os.Environ() }
