package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// starts is how many pods are started one after the other.
const starts = 20

// start measures from a pod's creation to Running, without policies, under
// default-deny, and with a thousand policies that select it.
func (o options) start(ctx context.Context, c *cluster) error {
	o.table("policies on the pod | start p50 | p90 | memory")
	for _, policies := range []int{0, 1, 1000} {
		err := each(policies, func(i int) error {
			p := from(fmt.Sprintf("start-%d", i), map[string]string{"kind": "started"}, map[string]string{"peer": strconv.Itoa(i)})
			if policies == 1 {
				p.Spec = networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}}
			}
			return c.create(ctx, p)
		})
		if err != nil {
			return err
		}
		var took []time.Duration
		for i := range starts {
			name := fmt.Sprintf("started-%d", i)
			began := time.Now()
			if _, err := c.start(ctx, name, c.nodes[i%2], map[string]string{"kind": "started"}); err != nil {
				return err
			}
			took = append(took, time.Since(began))
			if err := c.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				return err
			}
			if err := c.gone(ctx, name); err != nil {
				return err
			}
		}
		o.row(strconv.Itoa(policies), fmt.Sprintf("%.0f ms", float64(at(took, 50))/1e6), fmt.Sprintf("%.0f ms", float64(at(took, 90))/1e6), o.memory())
		if err := c.clear(ctx, "start-"); err != nil {
			return err
		}
	}
	return nil
}

// gone waits for a pod to be.
func (c *cluster) gone(ctx context.Context, name string) error {
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if _, err := c.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return nil
		}
	}
	return fmt.Errorf("pod %s is there a minute after it was deleted", name)
}

// memory is the proportional share of the enforcing programs, all together.
func (o options) memory() string {
	var kb int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		line := strings.ReplaceAll(string(raw), "\x00", " ")
		for _, p := range o.processes {
			if strings.HasPrefix(line[strings.LastIndex(strings.SplitN(line, " ", 2)[0], "/")+1:], p) {
				kb += pss(filepath.Dir(file))
			}
		}
	}
	return fmt.Sprintf("%d MB", kb/1000)
}

func pss(proc string) (kb int) {
	raw, err := os.ReadFile(filepath.Join(proc, "smaps_rollup"))
	if err != nil {
		return 0 // it has ended
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if strings.HasPrefix(line, "Pss:") {
			fmt.Sscanf(line, "Pss: %d kB", &kb)
		}
	}
	return kb
}
