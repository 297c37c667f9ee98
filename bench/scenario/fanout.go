//go:build linux

package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rolecall/bench/load"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	fanoutReaders   = 1000
	fanoutPerSecond = 20
	cpuPerDelivery  = "CPU µs per delivery"
	// chatMarker stands before the time of sending in the text of a message.
	chatMarker = "sent="
	// messageOverhead is about how many bytes of a chat:message on the wire are not its text.
	messageOverhead = 200
)

// chatEvent is a chat:message that makes an event of about size bytes on the wire.
func chatEvent(size int) string {
	return `["chat:message",{"roomId":"bench","text":"` + chatText(size-messageOverhead) + `"}]`
}

func chatText(size int) string {
	const stampDigits = 16
	return chatMarker + "{stamp};" + strings.Repeat("x", max(size-len(chatMarker)-stampDigits-1, 0))
}

func fanout() Scenario {
	return Scenario{
		Name: "fanout",
		Method: fmt.Sprintf("%d sockets stand in one chat room; another sends %d events a second of about 300 bytes into it. "+
			"The hubs send to all their connections. `hub-queued` writes with the library's broadcaster, `hub-direct` one "+
			"connection after another; the cheaper of the two is the hub of the bars.", fanoutReaders, fanoutPerSecond),
		Servers: slices.DeleteFunc(target.All(), func(n target.Name) bool { return n == target.RolecallPair }),
		workers: 2,
		columns: []string{cpuPerDelivery, "p50 ms", "p99 ms", "delivered %", backingCPU},
		run:     runFanout,
		bars:    fanoutBars,
	}
}

func runFanout(ctx context.Context, b *Bench, r *rig) (result, error) {
	readers, err := r.open(load.Open{Group: "reader", Count: fanoutReaders, Role: "vendor", Room: "bench", Marker: chatMarker, Network: "127.0.1"})
	if err != nil {
		return result{}, err
	}
	if _, err := r.open(load.Open{Group: "sender", Count: 1, Role: "vendor", Network: "127.0.2"}); err != nil {
		return result{}, err
	}
	if err := r.settle(ctx); err != nil {
		return result{}, err
	}
	event := chatEvent(300)
	if r.server.Name.IsHub() {
		event = chatText(300)
	}
	w, err := r.measure(ctx, b.Window, load.Send{Group: "sender", Event: event, PerSecond: fanoutPerSecond})
	if err != nil {
		return result{}, err
	}
	cpu := microseconds(w.cpu, w.Delivered)
	return result{
		cells: []string{fmt.Sprintf("%.2f", cpu), milliseconds(w.Latency.Percentile(0.5)), milliseconds(w.Latency.Percentile(0.99)),
			share(w.delivered, w.sent*readers), w.behind()},
		figures: map[string]float64{cpuPerDelivery: cpu},
	}, nil
}

func fanoutBars(all results) []report.Bar {
	hub, hasHub := all.figure(target.HubQueued, cpuPerDelivery)
	if direct, has := all.figure(target.HubDirect, cpuPerDelivery); has && (!hasHub || direct < hub) {
		hub, hasHub = direct, true
	}
	node, hasNode := all.figure(target.Node, cpuPerDelivery)
	bun, hasBun := all.figure(target.Bun, cpuPerDelivery)
	var bars []report.Bar
	for _, name := range []target.Name{target.Rolecall, target.Engine} {
		own, has := all.figure(name, cpuPerDelivery)
		bars = append(bars,
			report.AtMost(has && hasHub, fmt.Sprintf("%s: CPU at most 1.2 × the hub's", name), "%.2f µs", own, 1.2*hub),
			report.AtMost(has && hasNode, fmt.Sprintf("%s: CPU at most 0.6 × node's", name), "%.2f µs", own, 0.6*node),
			report.AtMost(has && hasBun, fmt.Sprintf("%s: CPU less than bun's", name), "%.2f µs", own, bun))
	}
	return append(bars, manyBar(all, cpuPerDelivery))
}
