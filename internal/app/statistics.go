package app

import (
	"context"
	"os"
	"runtime/debug"

	"rolecall/internal/bus"
	"rolecall/internal/services/administration"
	"rolecall/internal/store"
)

// Version is the version of the module, as the go command has stamped it.
func Version() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "unknown"
}

// sources are where the figures of the statistics come from.
func (p *Program) sources() administration.Sources {
	return administration.Sources{
		Version: Version(), Connections: p.engine.Connections, Drivers: p.tracking.EachDriver,
		Counts: func() administration.Counts {
			return administration.Counts{
				Deliveries: p.engine.Delivered(), Messages: p.chat.Said(), Positions: p.tracking.Accepted(),
			}
		},
		Store: p.storeState, Bus: p.busState, Forwarding: p.forwardingState,
	}
}

// nodeName is what this node is called where admins are told of several: as its operator calls it, or by its id among the
// others, or by its machine where it is alone.
func (p *Program) nodeName() string {
	if p.config.NodeName != "" {
		return p.config.NodeName
	}
	if p.redis != nil {
		return bus.NameOf(p.redis.Node())
	}
	if machine, err := os.Hostname(); err == nil && machine != "" {
		return machine
	}
	return "server"
}

func (p *Program) storeState(ctx context.Context) administration.PartState {
	state := administration.PartState{Kind: "sqlite", OK: true}
	if p.store.Shared() {
		state.Kind = "postgres"
	}
	if err := p.store.Ping(ctx); err != nil {
		state.OK, state.Detail = false, "The database does not answer"
		if sentence, known := store.Sentence(err); known {
			state.Detail = sentence
		}
	}
	return state
}

func (p *Program) busState(context.Context) administration.PartState {
	switch {
	case p.redis == nil: // a bus of one process has nothing that could fail
		return administration.PartState{Kind: "local", OK: true}
	case p.redis.Degraded() != nil:
		return administration.PartState{Kind: "redis", Detail: "Other servers cannot be reached"}
	default:
		return administration.PartState{Kind: "redis", OK: true}
	}
}

func (p *Program) forwardingState() administration.Forwarding {
	state := administration.Forwarding{
		Believed: p.forwarding.Believed(), Ignored: p.forwarding.Ignored(), Unreadable: p.forwarding.Unreadable(),
	}
	if from := p.forwarding.IgnoredFrom(); from.IsValid() {
		state.IgnoredFrom = from.String()
	}
	return state
}
