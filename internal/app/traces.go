package app

import (
	"context"
	"runtime/debug"
	"time"

	"rolecall/internal/tracing/otlp"
)

// tracesPatience is how long a stop waits for a collector to take the last traces.
const tracesPatience = 2 * time.Second

// openTraces makes ready to send traces, where there is somebody to take them. A collector that cannot be reached keeps
// nothing from starting or working.
func (p *Program) openTraces(ctx context.Context) (life, error) {
	if p.config.OTLPEndpoint == "" {
		return life{}, nil
	}
	version := ""
	if build, known := debug.ReadBuildInfo(); known {
		version = build.Main.Version
	}
	traces, err := otlp.Open(ctx, otlp.Options{
		Endpoint: p.config.OTLPEndpoint, Headers: p.config.OTLPHeaders, Ratio: p.config.TraceRatio, Version: version, Logger: p.log,
	})
	if err != nil {
		return life{}, err
	}
	p.tracer = traces.Tracer()
	return life{close: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), tracesPatience)
		defer cancel()
		if err := traces.Close(ctx); err != nil {
			p.log.WarnContext(ctx, "the last traces are lost", "error", err) // which is no failure of the stop
		}
		return nil
	}}, nil
}
