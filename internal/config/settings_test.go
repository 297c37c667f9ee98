package config_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
)

// setting is a variable with two values that differ from its default and from each other.
type setting struct {
	one, other         string
	wantOne, wantOther any
	get                func(config.Config) any
	// with are further arguments, without which the values would be refused.
	with []string
}

// hash is the bcrypt hash of a password, of the cost of 10.
const hash = "$2a$10$nv687Dygp5uukSHo3cCC.u9XGmAGXHwAo6NTSdyOhhQ/m2rTsJMWG"

// file is the name of a new file of that content.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// publicKey is a new one as PEM.
func publicKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func settings(t *testing.T) map[string]setting {
	t.Helper()
	jwks := []string{"-jwks-url", "https://id.example/keys"}
	rate := func(kind limit.Kind) setting {
		return setting{
			"3/7s:9", "4/1m", limit.Rate{Requests: 3, Period: 7 * time.Second, Burst: 9},
			limit.Rate{Requests: 4, Period: time.Minute, Burst: 4},
			func(c config.Config) any { return c.Rates[kind] }, nil,
		}
	}
	return map[string]setting{
		"addr":       {"0.0.0.0:1", "[::1]:http", "0.0.0.0:1", "[::1]:http", func(c config.Config) any { return c.Addr }, nil},
		"admin-addr": {"0.0.0.0:1", "[::1]:http", "0.0.0.0:1", "[::1]:http", func(c config.Config) any { return c.AdminAddr }, nil},
		"admin-ui":   {"off", "readonly", config.AdminUIOff, config.AdminUIReadOnly, func(c config.Config) any { return c.AdminUI }, nil},
		"admin-ui-password-file": {
			file(t, "ops:"+hash+"\n"), file(t, "# who\n\n a.b-c_1:"+hash+"\r\nops:"+hash), []string{"ops"}, []string{"a.b-c_1", "ops"},
			func(c config.Config) any { return slices.Sorted(maps.Keys(c.AdminUIPasswords)) }, nil,
		},
		"data-dir": {"/var/a", "b", "/var/a", "b", func(c config.Config) any { return c.DataDir }, nil},
		"database-url": {
			"postgres://u:p@h:5433/n?sslmode=require", "postgresql://h/n", "postgres://u:p@h:5433/n?sslmode=require", "postgresql://h/n",
			func(c config.Config) any { return c.DatabaseURL }, nil,
		},
		"encryption-keys": {
			"a:" + strings.Repeat("A", 43) + "=", "plain", "a", "", func(c config.Config) any {
				if c.EncryptionKeys == "" {
					return nil
				}
				return c.TextKeys.First()
			}, nil,
		},
		"encryption-keys-file": {
			file(t, "b:"+strings.Repeat("A", 43)+"=\na:"+strings.Repeat("B", 43)+"=\n"), file(t, "plain\n"), "b", "", func(c config.Config) any {
				if c.EncryptionKeysFile == "" {
					return nil
				}
				return c.TextKeys.First()
			}, nil,
		},
		"jwt-secret": {secret, secret + "2", secret, secret + "2", func(c config.Config) any { return c.JWTSecret }, nil},
		"jwks-url":   {"https://a.example/k", "http://b.example", "https://a.example/k", "http://b.example", func(c config.Config) any { return c.JWKSURL }, nil},
		"jwt-algs":   {"ES256, EdDSA", "RS512", []string{"ES256", "EdDSA"}, []string{"RS512"}, func(c config.Config) any { return c.JWTAlgorithms }, jwks},
		"jwt-issuer": {"a", "b", "a", "b", func(c config.Config) any { return c.JWTIssuer }, nil},
		"jwt-secret-file": {
			file(t, secret), file(t, secret+"2\r\n"), secret, secret + "2",
			func(c config.Config) any {
				o, _ := c.TokenOptions()
				return string(o.Secret)
			}, nil,
		},
		"jwt-public-key-file": {
			file(t, publicKey(t)), file(t, publicKey(t)+publicKey(t)), 1, 2,
			func(c config.Config) any { return strings.Count(string(c.PublicKeys), "BEGIN") }, nil,
		},
		"jwt-claim-user":    {"a.b, c", `"x/y"`, "a.b,c", `"x/y"`, func(c config.Config) any { return c.JWTClaimUser.String() }, nil},
		"jwt-claim-name":    {"a", "b", "a", "b", func(c config.Config) any { return c.JWTClaimName.String() }, nil},
		"jwt-claim-role":    {"realm_access.roles", `'https://a.example/role'`, "realm_access.roles", `"https://a.example/role"`, func(c config.Config) any { return c.JWTClaimRole.String() }, nil},
		"jwt-claim-company": {"a", "b", "a", "b", func(c config.Config) any { return c.JWTClaimCompany.String() }, nil},
		"jwt-role-map": {
			"ops=admin, fleet-manager = company,a=b=driver", "x=vendor,x=vendor",
			map[string]roles.Role{"ops": "admin", "fleet-manager": "company", "a=b": "driver"}, map[string]roles.Role{"x": "vendor"},
			func(c config.Config) any { return c.JWTRoleMap }, nil,
		},
		"default-role":     {"vendor", "driver", roles.Vendor, roles.Driver, func(c config.Config) any { return c.DefaultRole }, nil},
		"jwt-leeway":       {"0", "1m", time.Duration(0), time.Minute, func(c config.Config) any { return c.JWTLeeway }, nil},
		"jwt-max-lifetime": {"1w", "24h", 7 * 24 * time.Hour, 24 * time.Hour, func(c config.Config) any { return c.JWTMaxLifetime }, nil},
		"sign-in-url":      {"https://a.example/in?to={return}", "http://b.example", "https://a.example/in?to={return}", "http://b.example", func(c config.Config) any { return c.SignInURL }, nil},
		"jwt-audience":     {"a", "b", "a", "b", func(c config.Config) any { return c.JWTAudience }, nil},
		"allowed-origins":  {"https://a.example,http://localhost:3000", "*", []string{"https://a.example", "http://localhost:3000"}, []string{"*"}, func(c config.Config) any { return c.AllowedOrigins }, nil},
		"trusted-proxies": {
			"127.0.0.1, 10.0.0.0/8", "::1", "[127.0.0.1/32 10.0.0.0/8]", "[::1/128]",
			func(c config.Config) any { return fmt.Sprint(c.TrustedProxies) }, nil,
		},
		"handshakes-per-ip": {
			"off", "4/1m", limit.Rate{}, limit.Rate{Requests: 4, Period: time.Minute, Burst: 4},
			func(c config.Config) any { return c.HandshakesPerIP }, nil,
		},
		"packets-per-connection": {
			"off", "4/1m", limit.Rate{}, limit.Rate{Requests: 4, Period: time.Minute, Burst: 4},
			func(c config.Config) any { return c.PacketsPerConnection }, nil,
		},
		"packets-per-user": {
			"off", "4/1m", limit.Rate{}, limit.Rate{Requests: 4, Period: time.Minute, Burst: 4},
			func(c config.Config) any { return c.PacketsPerUser }, nil,
		},
		"max-connections-per-ip": {"1", "5000", 1, 5000, func(c config.Config) any { return c.MaxConnectionsPerIP }, nil},
		"max-sockets-per-user":   {"1", "5000", 1, 5000, func(c config.Config) any { return c.MaxSocketsPerUser }, nil},
		"redis-url":              {"redis://a:1", "rediss://u:p@a?cluster=true", "redis://a:1", "rediss://u:p@a?cluster=true", func(c config.Config) any { return c.RedisURL }, nil},
		"redis-prefix":           {"a", "a:b", "a", "a:b", func(c config.Config) any { return c.RedisPrefix }, nil},
		"redis-bridge": {
			"chat", "notices,chat", []string{"chat"}, []string{"notices", "chat"}, func(c config.Config) any { return c.RedisBridge },
			[]string{"-redis-url", "redis://a:1"},
		},
		"redis-bridge-key":    {"a", "a:b", "a", "a:b", func(c config.Config) any { return c.RedisBridgeKey }, nil},
		"redis-bridge-rooms":  {"a", "chat:*,everyone", []string{"a"}, []string{"chat:*", "everyone"}, func(c config.Config) any { return c.RedisBridgeRooms }, nil},
		"redis-bridge-events": {"chat:typing", "system:*, a", []string{"chat:typing"}, []string{"system:*", "a"}, func(c config.Config) any { return c.RedisBridgeEvents }, nil},
		"compress-from":       {"1", "1024", 1, 1024, func(c config.Config) any { return c.CompressFrom }, nil},
		"ping-interval":       {"100ms", "1h", 100 * time.Millisecond, time.Hour, func(c config.Config) any { return c.PingInterval }, nil},
		"ping-timeout":        {"100ms", "1h", 100 * time.Millisecond, time.Hour, func(c config.Config) any { return c.PingTimeout }, nil},
		"presence-grace":      {"0", "1m", time.Duration(0), time.Minute, func(c config.Config) any { return c.PresenceGrace }, nil},
		"tracking-flush":      {"0", "1s", time.Duration(0), time.Second, func(c config.Config) any { return c.TrackingFlush }, nil},
		"position-retention":  {"0", "1h", time.Duration(0), time.Hour, func(c config.Config) any { return c.PositionRetention }, nil},
		"audit-retention":     {"1h", "8760h", time.Hour, 8760 * time.Hour, func(c config.Config) any { return c.AuditRetention }, nil},
		"message-retention":   {"1h", "8760h", time.Hour, 8760 * time.Hour, func(c config.Config) any { return c.MessageRetention }, nil},
		"blob-url": {
			"s3://a?region=b", "file:///a", "s3://a?region=b", "file:///a", func(c config.Config) any { return c.BlobURL }, nil,
		},
		"attachment-size": {"1KiB", "2GiB", int64(1 << 10), int64(2 << 30), func(c config.Config) any { return c.AttachmentSize }, nil},
		"attachment-types": {
			"image/*, application/pdf", "text/plain", []string{"image/*", "application/pdf"}, []string{"text/plain"},
			func(c config.Config) any { return c.AttachmentTypes }, nil,
		},
		"attachment-unsent": {"1h", "7d", time.Hour, 7 * 24 * time.Hour, func(c config.Config) any { return c.AttachmentUnsent }, nil},
		"image-memory":      {"1MiB", "1GiB", int64(1 << 20), int64(1 << 30), func(c config.Config) any { return c.ImageMemory }, nil},
		"inbox-backlog":     {"1h", "24h", time.Hour, 24 * time.Hour, func(c config.Config) any { return c.InboxBacklog }, nil},
		"chat-open-rooms": {
			"false", "orders-=vendor+provider,*=nobody", roles.OpenRooms{}, openRooms(t, "orders-=vendor+provider,*=nobody"),
			func(c config.Config) any { return c.ChatOpenRooms }, nil,
		},
		"chat-reach": {
			"driver=own:company+admin", "vendor=everyone", reach(t, "driver=own:company+admin"), reach(t, "vendor=everyone"),
			func(c config.Config) any { return c.ChatReach }, nil,
		},
		"public-roles": {
			"off", "vendor, driver", []roles.Role(nil), []roles.Role{roles.Vendor, roles.Driver}, func(c config.Config) any { return c.PublicRoles }, nil,
		},
		"rate-shared":   {"true", "false", true, false, func(c config.Config) any { return c.RateShared }, []string{"-redis-url", "redis://a:1"}},
		"rate-chat":     rate(limit.Chat),
		"rate-typing":   rate(limit.Typing),
		"rate-join":     rate(limit.Join),
		"rate-location": rate(limit.Location),
		"rate-backlog":  rate(limit.Backlog),
		"rate-read":     rate(limit.Read),
		"rate-search":   rate(limit.Search),
		"rate-other":    rate(limit.Other),
		"rate-upload":   rate(limit.Upload),
		"rate-connect":  rate(limit.Connect),
		"rate-failure":  rate(limit.Failure),
		"rate-shed":     rate(limit.Shed),
		"otlp-endpoint": {"http://127.0.0.1:4318", "https://a.example/v1/traces", "http://127.0.0.1:4318", "https://a.example/v1/traces", func(c config.Config) any { return c.OTLPEndpoint }, nil},
		"otlp-headers-file": {
			file(t, "authorization: Bearer a\n\nX-Team:  b c \n"), file(t, "X-Team: d"),
			map[string]string{"Authorization": "Bearer a", "X-Team": "b c"}, map[string]string{"X-Team": "d"},
			func(c config.Config) any { return c.OTLPHeaders }, nil,
		},
		"trace-ratio":      {"1", "0.5", 1.0, 0.5, func(c config.Config) any { return c.TraceRatio }, nil},
		"shutdown-timeout": {"1s", "1m", time.Second, time.Minute, func(c config.Config) any { return c.ShutdownTimeout }, nil},
		"min-free-disk":    {"off", "2GiB", int64(0), int64(2 << 30), func(c config.Config) any { return c.MinFreeDisk }, nil},
		"node-name":        {"one", "Pod-2", "one", "Pod-2", func(c config.Config) any { return c.NodeName }, nil},
		"drain-delay":      {"0s", "5s", time.Duration(0), 5 * time.Second, func(c config.Config) any { return c.DrainDelay }, nil},
		"drain-period":     {"15s", "5s", 15 * time.Second, 5 * time.Second, func(c config.Config) any { return c.DrainPeriod }, nil},
		"log-level":        {"debug", "ERROR", slog.LevelDebug, slog.LevelError, func(c config.Config) any { return c.LogLevel }, nil},
		"engine":           {"zishang520", "native", "zishang520", "native", func(c config.Config) any { return c.Engine }, nil},
		"log-format":       {"json", "text", "json", "text", func(c config.Config) any { return c.LogFormat }, nil},
		"demo":             {"true", "false", true, false, func(c config.Config) any { return c.Demo }, nil},
		"demo-drivers":     {"0", "5000", 0, 5000, func(c config.Config) any { return c.DemoDrivers }, nil},
	}
}

func openRooms(t *testing.T, text string) roles.OpenRooms {
	t.Helper()
	o, err := roles.ParseOpenRooms(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func reach(t *testing.T, text string) roles.Messaging {
	t.Helper()
	m, err := roles.ParseMessaging(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
