package servers

// ProxyAddress is where the proxy's requests come from for its nodes: not where its clients are.
const ProxyAddress = "127.0.0.2"

// NodeNames are what the proxy of deploy/ calls its nodes: ids of sessions have to begin with the name of their node.
func NodeNames() []string { return []string{"one", "two", "three"} }
