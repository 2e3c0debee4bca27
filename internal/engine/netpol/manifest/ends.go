package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

// Place is an end that a flow may have: a pod, a service's pods, an address.
type Place struct {
	Name string
	ends []netpol.End
	// service is set when the end is a service: ports are its, until they are translated.
	service *corev1.Service
	// running says that the ends are a workload's pods, of which one speaks to another.
	running bool
}

// Find reads the name of an end: NAME or pod/NAME, KIND/NAME of a workload, svc/NAME,
// each with NAMESPACE/ before it if it isn't of the namespace given, or an address.
func (s *Set) Find(name, namespace string) (*Place, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return &Place{Name: name, ends: []netpol.End{s.Cluster.At(a.Unmap())}}, nil
	}
	if namespace == "" {
		namespace = corev1.NamespaceDefault
	}
	kind, object, parts := "", name, strings.Split(name, "/")
	switch len(parts) {
	case 1:
	case 2:
		if isKind(parts[0]) {
			kind, object = parts[0], parts[1]
		} else {
			namespace, object = parts[0], parts[1]
		}
	case 3:
		namespace, kind, object = parts[0], parts[1], parts[2]
	}
	if slices.Contains(parts, "") || len(parts) > 3 || kind != "" && !isKind(kind) {
		return nil, fmt.Errorf("%q names no end: it is [NAMESPACE/][KIND/]NAME or an address", name)
	}
	return s.find(kind, netpol.PodName{Namespace: namespace, Name: object})
}

func isKind(name string) bool {
	_, known := workloadKind(name)
	return known || isPod(name) || isService(name)
}

func isPod(name string) bool { return slices.Contains([]string{"pod", "pods", "po"}, name) }

func isService(name string) bool {
	return slices.Contains([]string{"service", "services", "svc"}, name)
}

func (s *Set) find(kind string, name netpol.PodName) (*Place, error) {
	if isService(kind) {
		return s.findService(name)
	}
	if long, known := workloadKind(kind); known {
		name.Name = long + "/" + name.Name
	}
	if p, found := s.Cluster.Pod(name); found {
		return s.podPlace(p)
	}
	if kind == "" {
		if list := s.workloadsOf(name); len(list) == 1 {
			return s.podPlace(list[0])
		}
	}
	return nil, fmt.Errorf("there is no pod %s%s", name, s.near(name))
}

// workloadsOf are the workloads of that name, whatever their kind.
func (s *Set) workloadsOf(name netpol.PodName) (list []*netpol.Pod) {
	for i := range s.Cluster.Pods {
		p := &s.Cluster.Pods[i]
		if _, bare, found := strings.Cut(p.Name, "/"); found && bare == name.Name && p.Namespace == name.Namespace {
			list = append(list, p)
		}
	}
	return list
}

// near says which pods there are instead.
func (s *Set) near(name netpol.PodName) string {
	_, bare, found := strings.Cut(name.Name, "/")
	if !found {
		bare = name.Name
	}
	var same, beside []string
	for i := range s.Cluster.Pods {
		p := &s.Cluster.Pods[i]
		if strings.HasSuffix("/"+p.Name, "/"+bare) {
			same = append(same, p.Key().String())
		}
		if p.Namespace == name.Namespace {
			beside = append(beside, p.Name)
		}
	}
	list := same
	text := "; is it "
	if list == nil {
		list, text = beside, "; namespace "+name.Namespace+" has "
	}
	if list == nil {
		return ", and namespace " + name.Namespace + " has none"
	}
	slices.Sort(list)
	if len(list) > 8 {
		list = append(list[:8], "…")
	}
	return text + strings.Join(list, ", ")
}

func (s *Set) podPlace(p *netpol.Pod) (*Place, error) {
	if p.Finished {
		return nil, fmt.Errorf("pod %s is finished: it has no traffic", p.Key())
	}
	place := &Place{Name: p.Key().String(), ends: s.endsOf(p)}
	if s.kinds[p.Key()] {
		if running := s.runningOf(p); running != nil {
			place.ends, place.running = running, true
		}
	}
	return place, nil
}

// runningOf are the pods with addresses that a workload has, known as its controllers make
// them: named after it, with its template's labels and more.
func (s *Set) runningOf(workload *netpol.Pod) (list []netpol.End) {
	_, name, _ := strings.Cut(workload.Name, "/")
	for i := range s.Cluster.Pods {
		p := &s.Cluster.Pods[i]
		if p.Namespace == workload.Namespace && strings.HasPrefix(p.Name, name+"-") && !p.Finished && len(p.Addresses) > 0 && contains(p.Labels, workload.Labels) {
			list = append(list, s.endsOf(p)...)
		}
	}
	return list
}

// endsOf are a pod's addresses, or the range that it is in.
func (s *Set) endsOf(p *netpol.Pod) (list []netpol.End) {
	for _, a := range p.Addresses {
		list = append(list, netpol.End{Pod: p, Range: netip.PrefixFrom(a, a.BitLen())})
	}
	if list == nil {
		list = append(list, netpol.End{Pod: p, Range: s.PodCIDR})
	}
	return list
}

func (s *Set) findService(name netpol.PodName) (*Place, error) {
	svc := s.services[name]
	switch {
	case svc == nil:
		return nil, fmt.Errorf("there is no service %s", name)
	case len(svc.Spec.Selector) == 0:
		return nil, fmt.Errorf("service %s has no selector: where it leads the manifests don't say", name)
	}
	place := &Place{Name: "service " + name.String(), service: svc}
	for i := range s.Cluster.Pods {
		p := &s.Cluster.Pods[i]
		if s.kinds[p.Key()] && s.runningOf(p) != nil {
			continue // its pods are there themselves
		}
		if p.Namespace == name.Namespace && !p.Finished && contains(p.Labels, svc.Spec.Selector) {
			place.ends = append(place.ends, s.endsOf(p)...)
		}
	}
	if place.ends == nil {
		return nil, fmt.Errorf("service %s selects no pod", name)
	}
	return place, nil
}

func contains(labels, wanted map[string]string) bool {
	for k, v := range wanted {
		if has, found := labels[k]; !found || has != v {
			return false
		}
	}
	return true
}

// Port is a destination port as it is asked for: a number, or a name.
type Port struct {
	Proto  uint8
	Number uint16 // 0 when there is a name
	Name   string
}

// ParsePort reads PORT or PORT/PROTOCOL, where PORT is a number or a name of the
// destination's; without protocol it is TCP.
func ParsePort(text string) (Port, error) {
	number, name, _ := strings.Cut(text, "/")
	p := Port{Proto: ruleset.TCP}
	switch strings.ToUpper(name) {
	case "", "TCP":
	case "UDP":
		p.Proto = ruleset.UDP
	case "SCTP":
		p.Proto = ruleset.SCTP
	default:
		return Port{}, fmt.Errorf("port %q: %q is none of TCP, UDP and SCTP", text, name)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	switch {
	case err == nil && n > 0:
		p.Number = uint16(n)
	case number == "" || err == nil || errors.Is(err, strconv.ErrRange) || number[0] == '-':
		return Port{}, fmt.Errorf("port %q is no number from 1 to 65535, and no name", text)
	default:
		p.Name = number
	}
	return p, nil
}

// String is as it was read.
func (p Port) String() string {
	if p.Name != "" {
		return p.Name + "/" + netpol.ProtocolName(p.Proto)
	}
	return fmt.Sprintf("%d/%s", p.Number, netpol.ProtocolName(p.Proto))
}

// Explain decides the flows from one place to another: one for each pod of a service,
// and each IP family that both have.
func (s *Set) Explain(from, to *Place, port Port) ([]*netpol.Explanation, error) {
	if from.service != nil {
		return nil, fmt.Errorf("%s sends nothing: name one of its pods", from.Name)
	}
	var list []*netpol.Explanation
	alone := false
	for _, a := range from.ends {
		for _, b := range to.ends {
			if from.running && to.running && a.Pod == b.Pod {
				alone = true
				continue
			}
			if a.Range.Addr().Is4() != b.Range.Addr().Is4() {
				continue
			}
			number, err := to.number(&b, port)
			if err != nil {
				return nil, err
			}
			// Of a workload's pods, one speaks to another.
			if a.Pod != nil && a.Pod == b.Pod && s.kinds[a.Pod.Key()] {
				other := *b.Pod
				b.Pod = &other
			}
			list = append(list, s.Cluster.Explain(a, b, number))
		}
	}
	switch {
	case list == nil && alone:
		return nil, fmt.Errorf("of %s one pod runs alone: it has no other to send to", from.Name)
	case list == nil:
		return nil, fmt.Errorf("%s and %s have no IP family in common", from.Name, to.Name)
	}
	return list, nil
}

// number finds the port that a flow reaches the pod on.
func (p *Place) number(e *netpol.End, port Port) (ruleset.Port, error) {
	name := port.Name
	if p.service != nil {
		target, err := targetOf(p.service, port)
		if err != nil {
			return ruleset.Port{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		if target.Type == intstr.Int {
			return ruleset.Port{Proto: port.Proto, Number: uint16(target.IntVal)}, nil
		}
		name = target.StrVal
	}
	if name == "" {
		return ruleset.Port{Proto: port.Proto, Number: port.Number}, nil
	}
	if e.Pod != nil {
		for _, n := range e.Pod.Ports {
			if n.Name == name && n.Proto == port.Proto {
				return ruleset.Port{Proto: n.Proto, Number: n.Number}, nil
			}
		}
	}
	return ruleset.Port{}, fmt.Errorf("%s has no %s port named %s", cmp.Or(e.Name(), p.Name), netpol.ProtocolName(port.Proto), name)
}

// targetOf is the port of the pods that a service's port leads to.
func targetOf(svc *corev1.Service, port Port) (intstr.IntOrString, error) {
	var has []string
	for _, p := range svc.Spec.Ports {
		proto := cmp.Or(string(p.Protocol), "TCP")
		if proto == netpol.ProtocolName(port.Proto) && (port.Name != "" && p.Name == port.Name || port.Name == "" && p.Port == int32(port.Number)) {
			if p.TargetPort == (intstr.IntOrString{}) {
				return intstr.FromInt32(p.Port), nil
			}
			return p.TargetPort, nil
		}
		has = append(has, fmt.Sprintf("%d/%s", p.Port, proto))
	}
	return intstr.IntOrString{}, fmt.Errorf("it has no port %s, but %s", port, cmp.Or(strings.Join(has, ", "), "none"))
}
