//go:build linux

package target

// Ended is closed when the process has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }
