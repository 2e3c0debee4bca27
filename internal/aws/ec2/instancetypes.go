package ec2

import (
	"context"
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// typesText lists common instance types: name, vCPUs, MiB of memory, interfaces,
// IPv4 addresses of each. Interfaces and addresses are those of
// github.com/aws/amazon-vpc-cni-k8s (pkg/vpc/vpc_ip_resource_limit.go, commit
// b521883), vCPUs and memory those of https://aws.amazon.com/ec2/instance-types/.
//
//go:embed data/instance-types.txt
var typesText string

// instanceType is a line of it.
type instanceType struct {
	name                  string
	cpus, memory          int32
	interfaces, addresses int32
}

var instanceTypes = sync.OnceValue(func() []instanceType {
	var all []instanceType
	for line := range strings.Lines(typesText) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		var n [4]int32
		for i := range n {
			v, err := strconv.ParseInt(f[1+i], 10, 32)
			if err != nil {
				panic("ec2: instance types: " + err.Error()) // the text is compiled in
			}
			n[i] = int32(v)
		}
		all = append(all, instanceType{f[0], n[0], n[1], n[2], n[3]})
	}
	slices.SortFunc(all, func(a, b instanceType) int { return strings.Compare(a.name, b.name) })
	return all
})

func typeNamed(name string) (instanceType, bool) {
	all := instanceTypes()
	i, ok := slices.BinarySearchFunc(all, name, func(t instanceType, name string) int { return strings.Compare(t.name, name) })
	if !ok {
		return instanceType{}, false
	}
	return all[i], true
}

// MaxPods is how many pods a node of a type may have with an address each, as the
// VPC CNI gives them.
// https://github.com/aws/amazon-vpc-cni-k8s/blob/master/misc/eni-max-pods.txt
func MaxPods(name string) (pods int, ok bool) {
	t, ok := typeNamed(name)
	return int(t.interfaces*(t.addresses-1) + 2), ok
}

func (s *Service) addTypes(svc *api.Service) {
	add(s, svc, "DescribeInstanceTypes", s.DescribeInstanceTypes, nil)
	add(s, svc, "DescribeInstanceTypeOfferings", s.DescribeInstanceTypeOfferings, nil)
}

func (t instanceType) family() string {
	family, _, _ := strings.Cut(t.name, ".")
	return family
}

func (t instanceType) metal() bool { return strings.Contains(t.name, ".metal") }

// arm says whether a type's processor is AWS's own: the letter after the generation
// is a g.
func (t instanceType) arm() bool { return strings.HasSuffix(t.family(), "g") }

func (t instanceType) burstable() bool { return strings.HasPrefix(t.name, "t") }

func (t instanceType) arch() types.ArchitectureType {
	if t.arm() {
		return types.ArchitectureTypeArm64
	}
	return types.ArchitectureTypeX8664
}

// threads of each core.
func (t instanceType) threads() int32 {
	if t.arm() || t.cpus < 2 {
		return 1
	}
	return 2
}

func cpuOf(name string) *types.CpuOptions {
	t, ok := typeNamed(name)
	if !ok {
		return nil
	}
	return &types.CpuOptions{CoreCount: aws.Int32(t.cpus / t.threads()), ThreadsPerCore: aws.Int32(t.threads())}
}

// DescribeInstanceTypes lists the types that are known here, a part of AWS's.
func (s *Service) DescribeInstanceTypes(_ context.Context, in *ec2.DescribeInstanceTypesInput) (*ec2.DescribeInstanceTypesOutput, error) {
	number := func(of func(instanceType) int32) func(instanceType) []string {
		return func(t instanceType) []string { return []string{strconv.Itoa(int(of(t)))} }
	}
	fixed := func(v ...string) func(instanceType) []string { return func(instanceType) []string { return v } }
	match, err := matcher(in.Filters, attributes[instanceType]{
		"instance-type":                             func(t instanceType) []string { return []string{t.name} },
		"bare-metal":                                func(t instanceType) []string { return boolean(t.metal()) },
		"burstable-performance-supported":           func(t instanceType) []string { return boolean(t.burstable()) },
		"current-generation":                        fixed("true"),
		"hypervisor":                                func(t instanceType) []string { return optional(string(t.hypervisor())) },
		"instance-storage-supported":                fixed("false"),
		"memory-info.size-in-mib":                   number(func(t instanceType) int32 { return t.memory }),
		"network-info.ipv4-addresses-per-interface": number(func(t instanceType) int32 { return t.addresses }),
		"network-info.maximum-network-interfaces":   number(func(t instanceType) int32 { return t.interfaces }),
		"processor-info.supported-architecture":     func(t instanceType) []string { return []string{string(t.arch())} },
		"supported-root-device-type":                fixed("ebs"),
		"supported-usage-class":                     fixed("on-demand", "spot"),
		"supported-virtualization-type":             fixed("hvm"),
		"vcpu-info.default-cores":                   number(func(t instanceType) int32 { return t.cpus / t.threads() }),
		"vcpu-info.default-threads-per-core":        number(instanceType.threads),
		"vcpu-info.default-vcpus":                   number(func(t instanceType) int32 { return t.cpus }),
	}, nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range in.InstanceTypes {
		names = append(names, string(name))
	}
	if err := knownTypes(names); err != nil {
		return nil, err
	}
	if in.MaxResults != nil && (*in.MaxResults < 5 || *in.MaxResults > 100) {
		return nil, invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 100.", *in.MaxResults)
	}
	var rows []instanceType
	for _, t := range instanceTypes() {
		if (len(names) == 0 || slices.Contains(names, t.name)) && match(t) {
			rows = append(rows, t)
		}
	}
	rows, next, err := paged(query{filters: in.Filters, max: in.MaxResults, next: in.NextToken, call: "DescribeInstanceTypes"}, rows,
		func(t instanceType) string { return t.name })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstanceTypesOutput{NextToken: next, InstanceTypes: []types.InstanceTypeInfo{}}
	for _, t := range rows {
		out.InstanceTypes = append(out.InstanceTypes, t.view())
	}
	return out, nil
}

func knownTypes(names []string) error {
	var unknown []string
	for _, name := range names {
		if _, ok := typeNamed(name); !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return refuse("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
	}
	return nil
}

func (t instanceType) hypervisor() types.InstanceTypeHypervisor {
	if t.metal() {
		return ""
	}
	return types.InstanceTypeHypervisorNitro
}

func (t instanceType) view() types.InstanceTypeInfo {
	return types.InstanceTypeInfo{
		InstanceType: types.InstanceType(t.name), CurrentGeneration: aws.Bool(true), BareMetal: aws.Bool(t.metal()), Hypervisor: t.hypervisor(),
		SupportedUsageClasses:         []types.UsageClassType{types.UsageClassTypeOnDemand, types.UsageClassTypeSpot},
		SupportedRootDeviceTypes:      []types.RootDeviceType{types.RootDeviceTypeEbs},
		SupportedVirtualizationTypes:  []types.VirtualizationType{types.VirtualizationTypeHvm},
		ProcessorInfo:                 &types.ProcessorInfo{SupportedArchitectures: []types.ArchitectureType{t.arch()}},
		VCpuInfo:                      &types.VCpuInfo{DefaultVCpus: aws.Int32(t.cpus), DefaultCores: aws.Int32(t.cpus / t.threads()), DefaultThreadsPerCore: aws.Int32(t.threads())},
		MemoryInfo:                    &types.MemoryInfo{SizeInMiB: aws.Int64(int64(t.memory))},
		InstanceStorageSupported:      aws.Bool(false),
		BurstablePerformanceSupported: aws.Bool(t.burstable()),
		NetworkInfo: &types.NetworkInfo{
			MaximumNetworkInterfaces: aws.Int32(t.interfaces), Ipv4AddressesPerInterface: aws.Int32(t.addresses), Ipv6AddressesPerInterface: aws.Int32(t.addresses),
			Ipv6Supported: aws.Bool(true), EnaSupport: types.EnaSupportRequired, DefaultNetworkCardIndex: aws.Int32(0), MaximumNetworkCards: aws.Int32(1),
		},
	}
}

// DescribeInstanceTypeOfferings lists where the types are to be had: everywhere.
func (s *Service) DescribeInstanceTypeOfferings(_ context.Context, in *ec2.DescribeInstanceTypeOfferingsInput) (*ec2.DescribeInstanceTypeOfferingsOutput, error) {
	by := in.LocationType
	if by == "" {
		by = types.LocationTypeRegion
	}
	var places []string
	for _, z := range s.zones {
		switch by {
		case types.LocationTypeRegion:
			places = []string{s.place.Region}
		case types.LocationTypeAvailabilityZone:
			places = append(places, z)
		case types.LocationTypeAvailabilityZoneId:
			places = append(places, zoneID(z))
		default:
			return nil, unsupported("The location type %s", by)
		}
	}
	type offer struct{ name, place string }
	match, err := matcher(in.Filters, attributes[offer]{
		"instance-type": func(o offer) []string { return []string{o.name} },
		"location":      func(o offer) []string { return []string{o.place} },
	}, nil)
	if err != nil {
		return nil, err
	}
	var rows []offer
	for _, t := range instanceTypes() {
		for _, place := range places {
			if o := (offer{t.name, place}); match(o) {
				rows = append(rows, o)
			}
		}
	}
	rows, next, err := paged(query{filters: in.Filters, max: in.MaxResults, next: in.NextToken, call: "DescribeInstanceTypeOfferings" + string(by)}, rows,
		func(o offer) string { return o.name + "\x00" + o.place })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstanceTypeOfferingsOutput{NextToken: next, InstanceTypeOfferings: []types.InstanceTypeOffering{}}
	for _, o := range rows {
		out.InstanceTypeOfferings = append(out.InstanceTypeOfferings, types.InstanceTypeOffering{
			InstanceType: types.InstanceType(o.name), Location: aws.String(o.place), LocationType: by,
		})
	}
	return out, nil
}
