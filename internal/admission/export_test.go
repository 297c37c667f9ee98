package admission

// MaxAddresses is the bound on what Handshakes remembers.
const MaxAddresses = maxAddresses
