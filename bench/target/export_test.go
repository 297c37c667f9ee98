//go:build linux

package target

// Ended is closed when the first process has ended.
func (s *Server) Ended() <-chan struct{} { return s.Nodes[0].ended }
