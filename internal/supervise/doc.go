// Package supervise keeps processes running and their listening sockets open.
//
// A Supervisor runs in two places: as the keeper, the root of everything eksact
// starts on a machine, and as the init of a node, pid 1 of that node's pid
// namespace. It is told by Specs what should run, starts it, restarts it with
// growing pauses when it ends, and reaps whatever is orphaned below it.
//
// It also owns listening sockets. A socket is opened once, inside any network
// namespace, and handed to the program that serves it, at its start (as systemd
// does: fds from 3, LISTEN_FDS) or over the control socket. While that program
// is away the kernel queues the callers: a restart is a pause to them, never a
// refusal.
//
// Control is by a unix socket: one request and one answer, each a line of JSON,
// a socket's file descriptor beside the answer. Client speaks it.
//
// All that the keeper starts dies with it: the children ask the kernel to be
// killed with the thread that started them, which lives as long as the keeper.
package supervise
