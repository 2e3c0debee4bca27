// Command cyclonus runs cyclonus's NetworkPolicy cases against the cluster of the
// current kubeconfig and prints the result as Markdown.
//
//	cyclonus [-wait COMMAND | -perturbation 5s] [-tags TAG,…] [-every N] [-from N] [-list]
//
// Cases, interpreter, expectations and comparison are the library's, none is left
// out; nine pods in three namespaces serve TCP, UDP and SCTP on two ports each, and
// each step tries all 81 pairs on all of them. Three things differ from cyclonus
// generate:
//
//   - A step is probed once its change is enforced, as -wait says, or after a pause. What
//     is let through at first is wrong; what got no answer within a second, as on a busy
//     machine, is tried again.
//   - Probes go out in one batch per pod (cyclonus's own batch jobs), by a worker that
//     connects in its process: see ./worker.
//   - The client is not limited to five calls a second.
//
// A pod's probes of itself are counted apart (report.go).
//
// SCTP is spoken by the worker on raw sockets: kernels without SCTP filter and
// translate it all the same.
//
// It exits with 1 when a case fails. Interrupted, it prints the result of the cases
// up to then and exits with 3; -from goes on from there.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/kube"
	"github.com/sirupsen/logrus"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	namespaces = []string{"x", "y", "z"}
	pods       = []string{"a", "b", "c"}
	ports      = []int{80, 81}
)

type options struct {
	wait         string
	perturbation time.Duration
	tags         []string
	every, from  int
	protocols    []v1.Protocol
	list         bool
}

func main() {
	logrus.SetLevel(logrus.WarnLevel)
	o := options{}
	flag.StringVar(&o.wait, "wait", "", "shell command that returns once what was written is enforced")
	flag.DurationVar(&o.perturbation, "perturbation", 5*time.Second, "pause after a change, without -wait")
	tags := flag.String("tags", "", "only cases with one of these tags, separated by commas")
	flag.IntVar(&o.every, "every", 1, "only each nth case, and the first of each tag that those lack")
	flag.IntVar(&o.from, "from", 1, "number of the first case")
	protocols := flag.String("protocols", "TCP,UDP,SCTP", "protocols that pods serve")
	flag.BoolVar(&o.list, "list", false, "list the cases instead of running them")
	flag.Parse()
	if *tags != "" {
		o.tags = strings.Split(*tags, ",")
	}
	for _, p := range strings.Split(*protocols, ",") {
		o.protocols = append(o.protocols, v1.Protocol(p))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	passed, err := o.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cyclonus:", err)
		os.Exit(3)
	}
	if !passed {
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) (passed bool, err error) {
	if err := generator.ValidateTags(o.tags); err != nil {
		return false, err
	}
	if o.list {
		for _, c := range o.cases("10.0.0.1") {
			fmt.Printf("%d\t%s\t%s\n", c.number, c.Description, strings.Join(c.Tags.Keys(), " "))
		}
		return true, nil
	}
	c, err := connect(o.enforced)
	if err != nil {
		return false, err
	}
	resources, err := probe.NewDefaultResources(c, namespaces, pods, ports, o.protocols, nil, 120, true, "")
	if err != nil {
		return false, err
	}
	if err := c.spread(); err != nil {
		return false, err
	}
	target, err := resources.GetPod("z", "c")
	if err != nil {
		return false, err
	}
	stdout := os.Stdout
	os.Stdout = os.Stderr // it prints the resources
	interpreter := connectivity.NewInterpreter(c, resources, &connectivity.InterpreterConfig{
		ResetClusterBeforeTestCase:       true,
		VerifyClusterStateBeforeTestCase: true,
		BatchJobs:                        true,
		KubeProbeRetries:                 3,
		IgnoreLoopback:                   ignoreLoopback,
	})
	os.Stdout = stdout
	r := report{began: time.Now()}
	for _, c := range o.cases(target.IP) {
		if ctx.Err() != nil {
			r.print()
			return false, fmt.Errorf("interrupted before case %d", c.number)
		}
		r.add(c.number, interpreter.ExecuteTestCase(c.TestCase))
	}
	return r.print(), nil
}

// numbered is a case with its place among all.
type numbered struct {
	number int
	*generator.TestCase
}

// cases are the library's, none excluded. DNS is let through, as cyclonus does by
// default: probes ask for names. Of a part no tag is left out: to each nth case the
// first of each tag that none of those has is added.
func (o options) cases(ip string) []numbered {
	all := generator.NewTestCaseGenerator(true, ip, namespaces, nil, nil).GenerateTestCases()
	chosen, seen := make([]bool, len(all)), map[string]bool{}
	choose := func(i int) {
		chosen[i] = true
		for _, tag := range all[i].Tags.Keys() {
			seen[tag] = true
		}
	}
	for i := range all {
		if i%o.every == 0 {
			choose(i)
		}
	}
	for i, c := range all {
		if slices.ContainsFunc(c.Tags.Keys(), func(tag string) bool { return !seen[tag] }) {
			choose(i)
		}
	}
	var cases []numbered
	for i, c := range all {
		if chosen[i] && i+1 >= o.from && (len(o.tags) == 0 || c.Tags.ContainsAny(o.tags)) {
			cases = append(cases, numbered{i + 1, c})
		}
	}
	return cases
}

// enforced returns once what was written is enforced.
func (o options) enforced() error {
	if o.wait == "" {
		time.Sleep(o.perturbation)
		return nil
	}
	if out, err := exec.Command("sh", "-c", o.wait).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", o.wait, err, out)
	}
	return nil
}

func connect(enforced func() error) (*cluster, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &cluster{Kubernetes: &kube.Kubernetes{ClientSet: client, RestConfig: config}, enforced: enforced}, nil
}
