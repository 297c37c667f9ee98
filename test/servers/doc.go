// Package servers starts the real servers that tests need, on private ports and with throw-away data. What is not installed
// is installed by apt, as test/clients.sh does it.
//
// One PostgreSQL server is shared by all tests that run at the time, of all packages: it is started by the first of them, and
// stopped some seconds after the last has ended. Each test has a database of its own. So is one Redis, where each test has a
// prefix. Tests that stop or break a server have one to themselves. HAProxy is started for each, with the configuration of
// deploy/.
package servers
