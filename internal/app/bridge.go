package app

import (
	"context"
	"fmt"
	"slices"

	"rolecall/internal/bridge"
	"rolecall/internal/bus"
	"rolecall/internal/config"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
)

// The domains of which rooms may be shared, by the words that the setting has for them. Positions never are.
const (
	chatDomain    = "chat"
	noticesDomain = "notices"
)

// namespacesOf are those in which a domain is served.
func namespacesOf(domain string) []string {
	if domain == noticesDomain {
		return []string{"/", systemNamespace, notificationsNamespace}
	}
	return []string{"/", "/chat"}
}

// sharedBy are a domain's namespaces; none where it is not shared.
func (p *Program) sharedBy(domain string) []string {
	if !slices.Contains(p.config.RedisBridge, domain) {
		return nil
	}
	return namespacesOf(domain)
}

// openBridge makes what shares rooms with servers of other kinds, where there are to be any.
func (p *Program) openBridge(context.Context) (life, error) {
	if len(p.config.RedisBridge) == 0 {
		return life{}, nil
	}
	shared, err := bridge.New(bridge.Options{
		URL: p.config.RedisURL, Key: p.config.RedisBridgeKey, Deployment: p.config.RedisPrefix, Policies: bridgePolicies(p.config),
		Describe: p.describe, Logger: p.log,
	})
	if err != nil {
		return life{}, fmt.Errorf("%s: %w", config.Variable("redis-bridge"), err)
	}
	p.bridge = shared
	return life{run: endless(shared.Run), drain: shared.Drain}, nil
}

// bridgePolicies are what others may do in each namespace that is shared: unless more is configured, no rooms of roles,
// companies or fleets are theirs to name.
func bridgePolicies(c config.Config) map[string]bridge.Policy {
	policies := make(map[string]bridge.Policy)
	for _, domain := range c.RedisBridge {
		rooms := c.RedisBridgeRooms
		switch {
		case len(rooms) > 0:
		case domain == chatDomain:
			rooms = []string{roles.ChatRooms, roles.UserRooms}
		default:
			rooms = []string{roles.UserRooms}
		}
		for _, namespace := range namespacesOf(domain) {
			all := append(slices.Clone(policies[namespace].Rooms), rooms...) // of both domains
			policies[namespace] = bridge.Policy{Rooms: all, Events: c.RedisBridgeEvents}
		}
	}
	return policies
}

// emitter is the bus's for a domain, which reaches those on servers of other kinds as well where they share it.
func (p *Program) emitter(domain string) bus.Emitter {
	here := p.bus.Emitter(namespacesOf(domain)...)
	if p.bridge == nil {
		return here
	}
	return p.bridge.Beside(here, p.sharedBy(domain)...)
}

// person is what other servers are told of whoever a socket speaks for.
type person struct {
	UserID    string     `json:"userId"`
	Username  string     `json:"username"`
	Role      roles.Role `json:"role"`
	CompanyID string     `json:"companyId,omitempty"`
}

func (p *Program) describe(socket realtime.Socket) (bridge.Person, bool) {
	who, since, ok := p.mount.Speaker(socket)
	if !ok {
		return bridge.Person{}, false
	}
	return bridge.Person{
		Data: person{UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID}, Since: since,
	}, true
}

// everywhere reaches the sockets of a room on servers of other kinds as well.
type everywhere struct {
	administration.Clients
	beyond *bridge.Bridge
}

// Disconnect implements administration.Clients.
func (e everywhere) Disconnect(ctx context.Context, room roles.Room) error {
	err := e.Clients.Disconnect(ctx, room)
	e.beyond.Disconnect(ctx, room)
	return err
}

func (p *Program) clients() administration.Clients {
	if p.bridge == nil {
		return p.bus
	}
	return everywhere{p.bus, p.bridge}
}

// revokedEvent tells servers of other kinds, which let people in by themselves, that somebody's tokens are revoked.
const revokedEvent = "rolecall:revoked"

// tellRevoked is what lets others know of revocations, nil where there are none.
func (p *Program) tellRevoked() func(ctx context.Context, revoked administration.Revoked) {
	if p.bridge == nil {
		return nil
	}
	return func(ctx context.Context, revoked administration.Revoked) { p.bridge.Tell(ctx, revokedEvent, revoked) }
}
