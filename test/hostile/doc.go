// Package hostile has clients do their worst to the program as it is built and run, with its limits as they are by
// default, while another company goes about its business.
//
// The usual run is small and asks only for what holds on a busy machine: the attacker is limited or gone, memory is
// bounded, and the program stops in order and in time at the height of it. SOAK=1 asks for the whole of it: 20,000
// drivers, 100,000 people and 200,000 messages stored, and live positions and acks of the others about as quick as before.
// The package consists of tests alone.
package hostile
