package app

import (
	"log/slog"
	"strings"
)

// serverLog takes the lines of the HTTP server's log. What clients do wrong is worth a debug line; that no connection
// can be accepted, for want of descriptors say, is the operator's to know.
type serverLog struct{ log *slog.Logger }

// Write is part of io.Writer.
func (l serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if strings.Contains(text, "Accept error") {
		l.log.Warn("connections cannot be accepted", "error", text)
	} else {
		l.log.Debug("http server", "message", text)
	}
	return len(line), nil
}
