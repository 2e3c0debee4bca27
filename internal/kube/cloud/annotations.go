package cloud

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// prefix begins all annotations about load balancers, of AWS's cloud controller
// (https://cloud-provider-aws.sigs.k8s.io/service_controller/) and of the AWS Load
// Balancer Controller
// (https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/).
const prefix = "service.beta.kubernetes.io/aws-load-balancer-"

// notes are a Service's annotations of that prefix, without it. Reading one marks
// it; what nobody read is refused in the end, for a load balancer that ignored it
// would be open to those it was to be closed to.
type notes struct {
	all  map[string]string
	read map[string]bool
	err  error // the first
}

func notesOf(annotations map[string]string) *notes {
	n := &notes{all: map[string]string{}, read: map[string]bool{}}
	for name, value := range annotations {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			n.all[short] = value
		}
	}
	return n
}

// text is an annotation's value; "" if it is not there.
func (n *notes) text(name string) string {
	n.read[name] = true
	return n.all[name]
}

func (n *notes) has(name string) bool {
	n.read[name] = true
	_, ok := n.all[name]
	return ok
}

// fail keeps the first error.
func (n *notes) fail(err error) {
	if n.err == nil {
		n.err = err
	}
}

// flag reads a boolean; empty is what is given as default.
func (n *notes) flag(name string, def bool) bool {
	value := n.text(name)
	if value == "" {
		return def
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		n.fail(fmt.Errorf("error parsing service annotation: %s%s=%s", prefix, name, value))
	}
	return b
}

// number reads an integer between bounds; if it is not there, def.
func (n *notes) number(name string, def, low, high int) int {
	if !n.has(name) || n.all[name] == "" {
		return def
	}
	v, err := strconv.ParseInt(n.all[name], 10, 32)
	switch {
	case err != nil:
		n.fail(fmt.Errorf("error parsing service annotation: %s%s=%s", prefix, name, n.all[name]))
	case int(v) < low || int(v) > high:
		n.fail(fmt.Errorf("annotation %s%s: %d is not between %d and %d", prefix, name, v, low, high))
	}
	return int(v)
}

func (n *notes) seconds(name string, def, low, high int) time.Duration {
	return time.Duration(n.number(name, def, low, high)) * time.Second
}

// list reads values separated by commas.
func (n *notes) list(name string) []string {
	var out []string
	for _, v := range strings.Split(n.text(name), ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// pairs reads "key=value,key=,key".
func (n *notes) pairs(name string) map[string]string {
	out := map[string]string{}
	for _, pair := range n.list(name) {
		if key, value, _ := strings.Cut(pair, "="); key != "" {
			out[key] = value
		}
	}
	return out
}

// refuse refuses an annotation that is there, for a reason.
func (n *notes) refuse(name, reason string) {
	if n.has(name) {
		n.fail(fmt.Errorf("annotation %s%s is not supported: %s", prefix, name, reason))
	}
}

// done returns the first error, or refuses the first annotation that nobody read.
func (n *notes) done() error {
	if n.err != nil {
		return n.err
	}
	for _, name := range slices.Sorted(maps.Keys(n.all)) {
		if !n.read[name] {
			return fmt.Errorf("annotation %s%s is not supported", prefix, name)
		}
	}
	return nil
}

// common refuses what no load balancer here can have.
func (n *notes) common() {
	for _, name := range []string{"ssl-cert", "ssl-ports", "ssl-negotiation-policy"} {
		n.refuse(name, "there are no certificates here")
	}
	for _, name := range []string{"access-log-emit-interval", "access-log-s3-bucket-name", "access-log-s3-bucket-prefix"} {
		n.refuse(name, "access logs are not written")
	}
	if n.flag("access-log-enabled", false) {
		n.refuse("access-log-enabled", "access logs are not written")
	}
}

// targetAttributes applies the attributes of target groups that are known to a
// controller; valid says which.
func (n *notes) targetAttributes(a *TargetAttributes, valid func(key string) error) {
	given := n.pairs("target-group-attributes")
	for _, key := range slices.Sorted(maps.Keys(given)) {
		value := given[key]
		if err := valid(key); err != nil {
			n.fail(err)
			return
		}
		if err := a.set(key, value); err != nil {
			n.fail(fmt.Errorf("error validating target group attributes: %w", err))
		}
	}
}

// set applies one attribute of a target group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
func (a *TargetAttributes) set(key, value string) error {
	flag := func(to *bool) error {
		if value != "true" && value != "false" {
			return fmt.Errorf("invalid attribute value for %q: %s", key, value)
		}
		*to = value == "true"
		return nil
	}
	switch key {
	case "preserve_client_ip.enabled":
		return flag(&a.PreserveClient)
	case "proxy_protocol_v2.enabled":
		var on bool
		err := flag(&on)
		if a.ProxyProtocol = 0; on {
			a.ProxyProtocol = 2
		}
		return err
	case "stickiness.enabled":
		return flag(&a.Sticky)
	case "stickiness.type":
		if value != "source_ip" {
			return fmt.Errorf("invalid attribute value for %q: %s", key, value)
		}
	case "deregistration_delay.timeout_seconds":
		v, err := strconv.Atoi(value)
		if err != nil || v < 0 || v > 3600 {
			return fmt.Errorf("invalid attribute value for %q: %s", key, value)
		}
		a.Drain = time.Duration(v) * time.Second
	case "deregistration_delay.connection_termination.enabled":
		return flag(&a.EndDrained)
	case "target_health_state.unhealthy.connection_termination.enabled":
		return flag(&a.EndUnhealthy)
	default:
		return fmt.Errorf("the attribute %q is not supported by the controller or is invalid", key)
	}
	return nil
}
