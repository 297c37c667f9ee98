package adminui

import (
	"context"
	"encoding/json"

	"rolecall/internal/bus"
)

// A node on which somebody looks asks all others for their figures, again and again, and each tells its own for a while.

// kindFigures is the kind of message by which nodes ask for figures and tell them.
const kindFigures = "adminui"

const (
	// figuresVersion is that of the message's form. A node that does not know it takes no notice.
	figuresVersion = 1
	// interest is for how long a node tells its figures after it was asked.
	interest = 3 * figuresEvery * roundPeriod
	// maxTold is how many figures of other nodes wait to be passed on.
	maxTold = 100
)

type figuresMessage struct {
	Version int  `json:"v"`
	Ask     bool `json:"ask,omitempty"`
	// Stats are those of the node that tells.
	Stats *serverStats `json:"stats,omitempty"`
}

// ask asks the other nodes for their figures, where somebody looks here.
func (d *Door) ask(ctx context.Context) {
	if len(d.all()) > 0 {
		d.publish(ctx, figuresMessage{Version: figuresVersion, Ask: true})
	}
}

// tellFigures tells this server's figures to who looks here, and to the other nodes where somebody looks there.
func (d *Door) tellFigures(ctx context.Context) {
	stats := d.figures.next(d.Now())
	for _, v := range d.all() {
		v.emit("server_stats", stats)
	}
	d.ask(ctx)
	d.mu.Lock()
	wanted := d.Now().Before(d.wanted)
	d.mu.Unlock()
	if wanted {
		d.publish(ctx, figuresMessage{Version: figuresVersion, Stats: &stats})
	}
}

func (d *Door) publish(ctx context.Context, message figuresMessage) {
	body, err := json.Marshal(message)
	if err != nil { // numbers and texts always can be encoded
		d.Logger.ErrorContext(ctx, "figures not told", "error", err)
		return
	}
	d.Nodes.Publish(ctx, bus.Message{Kind: kindFigures, Body: body})
}

// hear takes what another node asks or tells.
func (d *Door) hear(ctx context.Context, message bus.Message) {
	var heard figuresMessage
	if err := json.Unmarshal(message.Body, &heard); err != nil || heard.Version != figuresVersion {
		d.Logger.DebugContext(ctx, "message of another node not understood", "kind", message.Kind, "node", message.Node, "error", err)
		return
	}
	d.mu.Lock()
	if heard.Ask {
		d.wanted = d.Now().Add(interest)
	}
	if heard.Stats != nil && len(d.viewers) > 0 && len(d.told) < maxTold {
		d.told = append(d.told, *heard.Stats)
	}
	d.mu.Unlock()
	d.look()
}

// passOn tells who looks here the figures of other nodes.
func (d *Door) passOn() {
	d.mu.Lock()
	told := d.told
	d.told = nil
	d.mu.Unlock()
	if len(told) == 0 {
		return
	}
	for _, v := range d.all() {
		for _, stats := range told {
			v.emit("server_stats", stats)
		}
	}
}
