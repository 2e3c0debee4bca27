package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Sizes of a run.
const (
	connects = "3000"
	pushing  = "1s"
)

// figures are what a way between pods costs.
type figures struct {
	p01, p50 time.Duration
	bits     float64 // a second
}

// path measures connections and throughput between pods, on two nodes and on one,
// without policies, under ten and under a thousand that all select the server and
// of which the last lets the client through.
func (o options) path(ctx context.Context, c *cluster) error {
	o.table("policies | other node: connect p01 | p50 | throughput | same node: connect p01 | p50 | throughput")
	for _, policies := range []int{0, 10, 1000, 0} {
		if err := c.stack(ctx, policies); err != nil {
			return err
		}
		var cells []string
		for _, to := range []string{c.server, c.near} {
			f, err := c.way(ctx, to, o.runs)
			if err != nil {
				return fmt.Errorf("%d policies: %w", policies, err)
			}
			cells = append(cells, us(f.p01), us(f.p50), fmt.Sprintf("%.1f Gbit/s", f.bits/1e9))
		}
		o.row(append([]string{strconv.Itoa(policies)}, cells...)...)
	}
	return nil
}

// stack leaves so many policies on server and near.
func (c *cluster) stack(ctx context.Context, policies int) error {
	if err := c.clear(ctx, "stack-"); err != nil {
		return err
	}
	err := each(2*policies, func(i int) error {
		to, n := "server", i
		if i >= policies {
			to, n = "near", i-policies
		}
		first, last := intstr.FromInt(9000), int32(9002)
		return c.create(ctx, from(fmt.Sprintf("stack-%s-%d", to, n), map[string]string{"name": to}, map[string]string{"peer": strconv.Itoa(n)},
			networkingv1.NetworkPolicyPort{Port: &first, EndPort: &last}))
	})
	if err != nil {
		return err
	}
	return c.label(ctx, "peer", strconv.Itoa(max(0, policies-1)))
}

// way measures from the client to an address, once it is let through.
func (c *cluster) way(ctx context.Context, to string, runs int) (figures, error) {
	best := figures{p01: time.Hour, p50: time.Hour}
	if err := c.reachable(ctx, to); err != nil {
		return best, err
	}
	for range runs {
		var took map[string]time.Duration
		out, err := c.agent(ctx, "client", "connect", to, connects).Output()
		if err != nil {
			return best, err
		}
		if err := json.Unmarshal(out, &took); err != nil {
			return best, err
		}
		best.p01, best.p50 = min(best.p01, took["p01"]), min(best.p50, took["p50"])
		if out, err = c.agent(ctx, "client", "push", to, pushing).Output(); err != nil {
			return best, err
		}
		bits, err := strconv.ParseFloat(string(bytes.TrimSpace(out)), 64)
		if err != nil {
			return best, err
		}
		best.bits = max(best.bits, bits)
	}
	return best, nil
}

func (c *cluster) reachable(ctx context.Context, to string) (err error) {
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(time.Second) {
		if err = c.connects(ctx, to); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the client can't reach %s: %w", to, err)
}

// connects tries for a few seconds.
func (c *cluster) connects(ctx context.Context, to string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := c.agent(ctx, "client", "connect", to, "100")
	cmd.Stderr = nil
	return cmd.Run()
}

func us(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }
