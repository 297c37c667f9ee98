package notices

// LookForEnds has a service look for notices that have expired, as it does by itself when its timer fires.
func LookForEnds(s *Service) { s.lookSooner() }
