// Command leak starts pods under a default-deny policy, one after the other, and
// counts the packets that get through while they start: there must be none.
//
//	leak [-pods 1000] [-at-once 24] [-wait COMMAND] -ranges 10.0.65.0/27,…
//
// Each pod sends to a server without policies from its first instruction on, by TCP
// and by UDP, and a scanner without policies sends to every address that a pod of the
// nodes can get, each 4 ms. What arrives on either side
// was let through. Before that the same is done with pods that no policy selects:
// unless all of them are heard, and hear, the run proves nothing and ends with 2.
//
// It exits with 1 when a packet got through.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

type options struct {
	pods, control, atOnce int
	wait                  string
	ranges                []string
	image                 string
}

func main() {
	var o options
	flag.IntVar(&o.pods, "pods", 1000, "pods to start under the policy")
	flag.IntVar(&o.control, "control", 24, "pods to start before that without one")
	flag.IntVar(&o.atOnce, "at-once", 24, "pods that exist at a time")
	flag.StringVar(&o.wait, "wait", "", "shell command that returns once what was written is enforced")
	ranges := flag.String("ranges", "10.0.65.0/27,10.0.97.0/27", "addresses of the nodes' pods")
	flag.StringVar(&o.image, "image", "registry.k8s.io/e2e-test-images/agnhost:2.66.1", "image with /probe in it")
	flag.Parse()
	o.ranges = strings.Split(*ranges, ",")
	err := o.run(context.Background())
	switch {
	case errors.Is(err, errLeak):
		fmt.Println("FAIL:", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "leak:", err)
		os.Exit(2)
	}
}

var errLeak = errors.New("packets got through")

// Counts are a pod's, as probe leaves them behind.
type counts struct {
	Sent, Connected, Datagrams, Arrivals, FirstSeen, Unsendable int64
}

func (c counts) heard() bool { return c.Datagrams+c.Arrivals > 0 }

func (o options) run(ctx context.Context) error {
	c, err := connect(ctx, o.image)
	if err != nil {
		return err
	}
	defer c.remove()
	server, err := c.start(ctx, open, "server", "/probe", "server")
	if err != nil {
		return err
	}
	scanner, err := c.start(ctx, open, "scanner", append([]string{"/probe", "scan"}, o.ranges...)...)
	if err != nil {
		return err
	}
	if err := c.control(ctx, o, server, scanner); err != nil {
		return err
	}

	if err := c.deny(ctx); err != nil {
		return err
	}
	if o.wait != "" {
		if out, err := exec.CommandContext(ctx, "sh", "-c", o.wait).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", o.wait, err, out)
		}
	}
	before, err := c.report(ctx, scanner)
	if err != nil {
		return err
	}
	began := time.Now()
	all, err := c.loop(ctx, closed, o.pods, o.atOnce, server)
	if err != nil {
		return err
	}
	after, err := c.report(ctx, scanner)
	if err != nil {
		return err
	}
	return verdict(all, after-before, time.Since(began))
}

// control shows that packets are seen where nothing forbids them.
func (c *cluster) control(ctx context.Context, o options, server, scanner string) error {
	before, err := c.report(ctx, scanner)
	if err != nil {
		return err
	}
	all, err := c.loop(ctx, free, o.control, o.atOnce, server)
	if err != nil {
		return err
	}
	after, err := c.report(ctx, scanner)
	if err != nil {
		return err
	}
	var latest int64
	for name, n := range all {
		if !n.heard() || n.Connected == 0 || n.Sent == 0 {
			return fmt.Errorf("pod %s, which no policy selects, was cut off: %+v", name, n)
		}
		latest = max(latest, n.FirstSeen)
	}
	fmt.Printf("control: %d pods without policy were all heard and all heard the scanner, the first datagram %d ms or less after they started; the server counted %d packets\n",
		len(all), latest, after-before)
	if after == before {
		return errors.New("the server heard nothing of the pods without policy")
	}
	return nil
}

func verdict(all map[string]counts, outbound int, took time.Duration) error {
	var sent, inbound int64
	for _, n := range all {
		sent += n.Sent
		inbound += n.Datagrams + n.Arrivals + n.Connected
	}
	fmt.Printf("%d pods started under default-deny in %.0f s: %d packets of %d that they sent arrived, %d reached them\n",
		len(all), took.Seconds(), outbound, sent, inbound)
	if outbound == 0 && inbound == 0 {
		return nil
	}
	for name, n := range all {
		if n.heard() || n.Connected > 0 {
			text, _ := json.Marshal(n)
			fmt.Printf("  %s: %s\n", name, text)
		}
	}
	return errLeak
}
