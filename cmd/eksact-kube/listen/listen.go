// Package listen takes over a listening socket that the parent process holds
// open, by the convention of systemd's socket activation (sd_listen_fds(3)):
// LISTEN_FDS counts the sockets, the first is file descriptor 3.
package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// Inherited takes the listening socket from file descriptor 3, or nil
// when the parent passed none (or, by LISTEN_PID, meant another process). The
// variables are removed, so that no child of
// ours believes they are meant for it.
func Inherited() (net.Listener, error) {
	count, present := os.LookupEnv("LISTEN_FDS")
	if pid := os.Getenv("LISTEN_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		present = false
	}
	for _, name := range []string{"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	switch {
	case !present || count == "0":
		return nil, nil
	case count != "1":
		return nil, fmt.Errorf("LISTEN_FDS=%s: the API server serves one socket", count)
	}
	file := os.NewFile(3, "listen")
	if file == nil {
		return nil, errors.New("LISTEN_FDS=1, but file descriptor 3 is not open")
	}
	defer file.Close() // FileListener made a copy
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_FDS=1, but file descriptor 3 is no listening socket: %w", err)
	}
	if _, ok := listener.(*net.TCPListener); !ok {
		listener.Close()
		return nil, fmt.Errorf("LISTEN_FDS=1, but file descriptor 3 listens on %s, not on TCP", listener.Addr().Network())
	}
	return listener, nil
}
