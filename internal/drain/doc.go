// Package drain serves HTTP until it is told to end, and ends then as soon as nobody
// waits for an answer.
//
// http.Server.Shutdown leaves each connection of HTTP/2 open for a second after its last
// answer, and its caller waits for that. Who restarts or stops the daemon would too.
package drain
