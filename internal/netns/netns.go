// Package netns works in network namespaces other than the process's own.
//
// A namespace is named by a file: its own under /run/eksact/netns, kept alive by
// a bind mount as ip-netns(8) does, or /proc/PID/ns/net. Do runs a function on a
// thread that has entered the namespace; what that function opens (a socket, a
// netlink handle, a child process) belongs to the namespace for good, wherever
// it is used later. That is all Dial and Listen need.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Do runs fn on a thread inside the namespace named by path. An empty path is
// the process's own namespace. Goroutines that fn starts are outside again.
func Do(path string, fn func() error) error {
	if path == "" {
		return fn()
	}
	target, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer target.Close()
	errc := make(chan error, 1)
	go func() {
		// Never unlocked on failure to return: the runtime then ends the thread
		// instead of reusing one in the wrong namespace.
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			errc <- fmt.Errorf("network namespace of this thread: %w", err)
			return
		}
		defer home.Close()
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			errc <- fmt.Errorf("entering network namespace %s: %w", path, err)
			return
		}
		err = fn()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		errc <- err
	}()
	return <-errc
}

// Dial returns a dial function whose connections are made inside the namespace.
func Dial(path string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		var d net.Dialer
		// With both families on offer, Go dials from a second goroutine, which
		// would be outside; a negative delay keeps it on this one.
		d.FallbackDelay = -1
		err = Do(path, func() (err error) {
			conn, err = d.DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
}

// Listen opens a listening stream socket inside the namespace.
func Listen(path, network, address string) (l net.Listener, err error) {
	err = Do(path, func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}

// ListenPacket opens a packet socket inside the namespace.
func ListenPacket(path, network, address string) (c net.PacketConn, err error) {
	err = Do(path, func() (err error) {
		c, err = net.ListenPacket(network, address)
		return err
	})
	return c, err
}

// Create makes a network namespace and binds it to the file path. One that is
// there already is left as it is.
func Create(path string) error {
	if Exists(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, nil, 0o444); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	errc := make(chan error, 1)
	go func() {
		// The thread stays locked, so it ends with this goroutine: a thread that
		// lives in the new namespace must not go back to the pool.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			errc <- fmt.Errorf("new network namespace: %w", err)
			return
		}
		if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
			errc <- fmt.Errorf("binding network namespace to %s: %w", path, err)
			return
		}
		errc <- nil
	}()
	if err := <-errc; err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

// Exists reports whether path names a live network namespace.
func Exists(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Type == unix.NSFS_MAGIC
}

// Delete removes the file that names a namespace. The namespace itself goes when
// the last process and socket in it do. One that is not there is no error.
func Delete(path string) error {
	for Exists(path) { // mounts may be stacked
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("releasing network namespace %s: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
