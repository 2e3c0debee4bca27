package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// perNode is how many pods a node that is an API object alone holds.
const perNode = 100

// latency measures from write to packets, among more and more pods.
func (o options) latency(ctx context.Context, c *cluster) error {
	if err := c.create(ctx, from("base", map[string]string{"name": "server"}, map[string]string{"allowed": "yes"})); err != nil {
		return err
	}
	if err := c.run(c.agent(ctx, "client", "send", c.server)); err != nil {
		return err
	}

	o.table("pods | policies | changes | policy: from the answer p50 | p99 | from the call p50 | p99 | label: from the answer p50 | p99 | from the call p50 | p99 | memory")
	have := 0
	for _, size := range o.sizes {
		if err := c.populate(ctx, have, size); err != nil {
			return err
		}
		have = size
		if err := c.settled(); err != nil {
			return err
		}
		policy, label, err := o.changes(ctx, c)
		if err != nil {
			return fmt.Errorf("%d pods: %w", size, err)
		}
		cells := []string{strconv.Itoa(size), strconv.Itoa(size/10 + 1), strconv.Itoa(len(policy.answered) + len(label.answered))}
		for _, all := range [][]time.Duration{policy.answered, policy.called, label.answered, label.called} {
			cells = append(cells, ms(at(all, 50)), ms(at(all, 99)))
		}
		o.row(append(cells, o.memory())...)
	}
	return nil
}

// A slow engine's changes are made for so long, but so many rounds at least.
const (
	patience = time.Minute
	least    = 10
)

// times are how long changes took until packets obeyed: from the API server's answer
// on, where what was enforced before it took no time, and from the call on.
type times struct{ answered, called []time.Duration }

// changes opens and closes the way from client to server, by policies and by the
// client's label.
func (o options) changes(ctx context.Context, c *cluster) (policy, label times, err error) {
	extra := from("extra", map[string]string{"name": "server"}, map[string]string{"name": "client"})
	end := time.Now().Add(patience)
	for round := 0; round < o.rounds && (round < least || time.Now().Before(end)); round++ {
		for _, change := range []struct {
			do   func() error
			want string
			to   *times
		}{
			{func() error { return c.create(ctx, extra) }, "start", &policy},
			{func() error { return c.delete(ctx, "extra") }, "stop", &policy},
			{func() error { return c.label(ctx, "allowed", "yes") }, "start", &label},
			{func() error { return c.label(ctx, "allowed", "no") }, "stop", &label},
		} {
			// Not in step with anything periodic.
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			called := time.Now()
			if err := change.do(); err != nil {
				return policy, label, err
			}
			answered := time.Now()
			seen, err := c.next(change.want)
			if err != nil {
				return policy, label, err
			}
			change.to.answered = append(change.to.answered, max(0, seen.Sub(answered)))
			change.to.called = append(change.to.called, max(0, seen.Sub(called)))
		}
	}
	return policy, label, nil
}

// event is what the server saw.
type event struct {
	kind string
	at   time.Time
}

// next waits for datagrams to begin ("start") or cease ("stop") and returns when
// that was.
func (c *cluster) next(kind string) (time.Time, error) {
	limit := time.After(30 * time.Second)
	for {
		select {
		case e, ok := <-c.events:
			switch {
			case !ok:
				return time.Time{}, fmt.Errorf("the server ended")
			case e.kind == kind:
				return e.at, nil
			}
		case <-limit:
			return time.Time{}, fmt.Errorf("30 s after a change datagrams did not %s", kind)
		}
	}
}

// settled waits until nothing arrives, which is so where the base policy is
// enforced, and has been so for a second.
func (c *cluster) settled() error {
	arriving := false
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); {
		select {
		case e, ok := <-c.events:
			if !ok {
				return fmt.Errorf("the server ended")
			}
			arriving = e.kind == "start"
		case <-time.After(time.Second):
			if !arriving {
				return nil
			}
		}
	}
	return fmt.Errorf("the first policy is not enforced after two minutes")
}

// populate adds pods, on nodes of their own, and one policy for ten of them.
func (c *cluster) populate(ctx context.Context, have, want int) error {
	for n := (have + perNode - 1) / perNode; n < (want+perNode-1)/perNode; n++ {
		node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("object-%d", n)}, Spec: v1.NodeSpec{Unschedulable: true}}
		if _, err := c.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return each(want-have, func(i int) error {
		i += have
		pods := c.CoreV1().Pods(namespace)
		p, err := pods.Create(ctx, &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:   fmt.Sprintf("object-%d", i),
				Labels: map[string]string{"allowed": "yes", "group": fmt.Sprint(i / 10)},
			},
			Spec: v1.PodSpec{
				NodeName:    fmt.Sprintf("object-%d", i/perNode),
				Tolerations: []v1.Toleration{{Operator: v1.TolerationOpExists}},
				Containers:  []v1.Container{{Name: "none", Image: "none"}},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		ip := fmt.Sprintf("100.64.%d.%d", i/250, i%250+1)
		p.Status = v1.PodStatus{Phase: v1.PodRunning, PodIP: ip, PodIPs: []v1.PodIP{{IP: ip}}}
		if _, err := pods.UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil || i%10 != 0 {
			return err
		}
		group := map[string]string{"group": fmt.Sprint(i / 10)}
		return c.create(ctx, from(fmt.Sprintf("group-%d", i/10), group, map[string]string{"group": fmt.Sprint(i/10 + 1)}))
	})
}

// at is a percentile of the durations, which it sorts.
func at(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*percent/100)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
