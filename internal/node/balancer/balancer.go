// Package balancer is the process that proxies for load balancers (package
// vpc/lb/proxy). It runs in the router's network namespace, on sockets that the
// keeper holds, so that neither a restart of the daemon nor its own refuses a
// client.
package balancer

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/eksact/eksact/internal/vpc/lb/proxy"
)

// Args is Main's command line, for a process that begins with the configuration
// in file.
func Args(file string) []string { return []string{"--config", file} }

// Main serves the TCP socket passed as fd 3, and takes configurations on the unix
// socket passed as fd 4.
func Main(args []string) error {
	flags := flag.NewFlagSet("balancer", flag.ContinueOnError)
	file := flags.String("config", "", "the configuration to begin with, JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clients, err := listener(3)
	if err != nil {
		return err
	}
	control, err := listener(4)
	if err != nil {
		return err
	}
	tcp, ok := clients.(*net.TCPListener)
	if !ok {
		return errors.New("balancer: fd 3 is not a TCP socket")
	}
	return proxy.New(nil).Run(tcp, control, *file)
}

func listener(fd uintptr) (net.Listener, error) {
	l, err := net.FileListener(os.NewFile(fd, "socket"))
	if err != nil {
		return nil, fmt.Errorf("balancer: the socket that should be passed as fd %d: %w", fd, err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l, nil
}
