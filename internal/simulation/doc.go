// Package simulation is the neighbourhood of what plays people against a server; it has no code of its own.
//
//   - fleet drives cars: each a driver with a connection, who sends positions and keeps sending what was not acknowledged.
//   - town is a made-up small town on a map of its own, with ways through it and cars that move as cars do.
//   - traces reads recorded trips from CSV files, defects and all, for a fleet to drive instead.
//   - sioclient is the Socket.IO client of the cars, and of all tests in Go; sioclient/siotest is a server to try it on.
//   - demo names the people of a demonstration, and prints the links that sign in as them.
//
// The command simulate and the demonstration use fleet; the demonstration's page draws town. Nothing of the server but
// the address of that map depends on any of it.
package simulation
