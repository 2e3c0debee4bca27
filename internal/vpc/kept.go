package vpc

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// keptRoutes are those of one namespace that the network rests on, by destination.
type keptRoutes map[string]netlink.Route

// watchAgain is the pause after a watch that broke.
const watchAgain = time.Second

// keepRoutes brings routes of the router and of the host back that others delete, until
// ctx ends. Without one nothing is open: what it led to is not reached. A namespace's are
// looked through when the kernel tells that one was deleted.
func (n *Network) keepRoutes(ctx context.Context, ns string) {
	for ctx.Err() == nil {
		if err := n.watchRoutes(ctx, ns); err != nil {
			slog.Error("routes are not watched", "namespace", ns, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchAgain):
			n.mendRoutes(ns) // what was deleted meanwhile
		}
	}
}

// watchRoutes ends with ctx, or when the kernel's messages are too many.
func (n *Network) watchRoutes(ctx context.Context, ns string) error {
	changes, done := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	var broken error
	err := netns.Do(ns, func() error {
		return netlink.RouteSubscribeWithOptions(changes, done, netlink.RouteSubscribeOptions{ErrorCallback: func(err error) { broken = err }})
	})
	if err != nil {
		close(done)
		return err
	}
	defer func() {
		close(done)
		for range changes { // until it is closed
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case c, ok := <-changes:
			if !ok {
				return broken
			}
			if c.Type == unix.RTM_DELROUTE {
				for len(changes) > 0 { // others of the same command
					<-changes
				}
				n.mendRoutes(ns)
			}
		}
	}
}

// mendRoutes adds what lacks of a namespace's routes. Those of links that are gone are no
// more to be kept.
func (n *Network) mendRoutes(ns string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, err := enter(ns)
	if err != nil {
		return // it is being removed
	}
	defer s.close()
	var mended []string
	for to, r := range n.kept[ns] {
		if _, err := s.LinkByIndex(r.LinkIndex); err != nil {
			delete(n.kept[ns], to)
			continue
		}
		there, err := s.RouteListFiltered(familyOfRoute(r), &netlink.Route{Dst: r.Dst, LinkIndex: r.LinkIndex}, netlink.RT_FILTER_DST|netlink.RT_FILTER_OIF)
		if err != nil || len(there) > 0 {
			continue
		}
		if err := s.RouteAdd(&r); err != nil {
			slog.Error("a route can't be made anew", "namespace", ns, "to", to, "error", err)
			continue
		}
		mended = append(mended, to)
	}
	if len(mended) > 0 {
		slog.Warn("routes were deleted by another program; they are made anew", "namespace", ns, "routes", fmt.Sprint(mended))
	}
}

func familyOfRoute(r netlink.Route) int {
	if r.Dst.IP.To4() == nil {
		return unix.AF_INET6
	}
	return unix.AF_INET
}
