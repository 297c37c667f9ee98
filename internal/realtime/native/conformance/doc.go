// Package conformance holds the server in package realtime against the documents of the protocols it speaks, over real
// connections and packet by packet:
//
//   - Engine.IO v4: https://socket.io/docs/v4/engine-io-protocol
//   - Socket.IO v5: https://socket.io/docs/v4/socket-io-protocol
//   - WebSocket: RFC 6455
//
// Where the documents leave an answer open, such as the code of a Close frame, the tests hold the server to what
// docs/realtime.md promises. The package consists of tests alone.
package conformance
