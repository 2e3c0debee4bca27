package actions

import (
	"slices"
	"strings"
	"testing"
)

// served must be in the reference; policies around clusters name them.
const served = `iam sts eks eks-auth ec2 elasticloadbalancing autoscaling cloudformation s3 ssm ssmmessages ec2messages
	ecr ecr-public route53 logs cloudwatch sns sqs cloudtrail kms secretsmanager events lambda dynamodb organizations tag
	pricing servicequotas acm wafv2 shield cognito-idp elasticfilesystem network-firewall guardduty access-analyzer xray aps`

func TestServices(t *testing.T) {
	names := strings.Fields(served)
	if Services() != len(names) {
		t.Errorf("%d services, want %d", Services(), len(names))
	}
	for _, name := range names {
		table, ok := Service(strings.ToUpper(name))
		if !ok || table.Prefix != name {
			t.Errorf("Service(%q) = %v, %v", name, table, ok)
			continue
		}
		if n, _ := Number(name); ByNumber(n) != table {
			t.Errorf("ByNumber(%d) isn't %s", n, name)
		}
	}
	for _, name := range []string{"", "a4b", "s", "s33", "s3:", "s3:GetObject"} {
		if _, ok := Service(name); ok {
			t.Errorf("Service(%q) was found", name)
		}
	}
}

// TestCounts fails when a part of the text is no longer read.
func TestCounts(t *testing.T) {
	var actions, resources, keys, uses, dependent int
	for n := range Services() {
		table := ByNumber(n)
		actions += len(table.Actions)
		resources += len(table.Resources)
		keys += len(table.Keys)
		for _, a := range table.Actions {
			uses += len(a.Resources)
			dependent += len(a.Dependent)
			for _, u := range a.Resources {
				dependent += len(u.Dependent)
			}
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"actions", actions, 3364}, {"resource types", resources, 350}, {"condition keys", keys, 739},
		{"uses of resource types", uses, 3401}, {"dependent actions", dependent, 412},
	} {
		if c.got != c.want {
			t.Errorf("%d %s, want %d", c.got, c.what, c.want)
		}
	}
}

func TestSorted(t *testing.T) {
	for n := range Services() {
		table := ByNumber(n)
		if n > 0 && ByNumber(n-1).Prefix >= table.Prefix {
			t.Errorf("%s comes after %s", table.Prefix, ByNumber(n-1).Prefix)
		}
		sorted := func(what string, length int, name func(int) string) {
			for i := 1; i < length; i++ {
				if strings.ToLower(name(i-1)) >= strings.ToLower(name(i)) {
					t.Errorf("%s: %s %q comes after %q", table.Prefix, what, name(i), name(i-1))
				}
			}
		}
		sorted("action", len(table.Actions), func(i int) string { return table.Actions[i].Name })
		sorted("resource type", len(table.Resources), func(i int) string { return table.Resources[i].Name })
		sorted("key", len(table.Keys), func(i int) string { return table.Keys[i].Name })
	}
}

func TestFindAll(t *testing.T) {
	for n := range Services() {
		table := ByNumber(n)
		for i, a := range table.Actions {
			name := table.Prefix + ":" + a.Name
			for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				if s, j, ok := Find(spelling); !ok || s != n || j != i {
					t.Errorf("Find(%q) = %d, %d, %v, want %d, %d", spelling, s, j, ok, n, i)
				}
			}
			if j, ok := table.Action(strings.ToUpper(a.Name)); !ok || j != i {
				t.Errorf("%s: Action(%q) = %d, %v, want %d", table.Prefix, a.Name, j, ok, i)
			}
			if _, _, ok := Find(name + "x"); ok {
				t.Errorf("Find(%q) was found", name+"x")
			}
		}
	}
	for _, name := range []string{"", ":", "s3", "s3:", "GetObject", "s3:GetObject ", "s3:Get*", "S3:GetOb\x4aect\x00", "sts:AssumeRole\u212A", "\u212Ams:Encrypt"} {
		if _, _, ok := Find(name); ok {
			t.Errorf("Find(%q) was found", name)
		}
	}
	eks, _ := Service("eks")
	for _, name := range []string{"", "A", "ZZ", "CreateCluster2", "CreateCluste"} {
		if _, ok := eks.Action(name); ok {
			t.Errorf("eks: Action(%q) was found", name)
		}
	}
}

func TestWellKnown(t *testing.T) {
	for _, tc := range []struct {
		action    string
		level     Level
		resources string // name, with * if required
		keys      string // some of the action's
		dependent string
	}{
		{"s3:GetObject", Read, "accesspointobject object", "s3:x-amz-content-sha256 s3:TlsVersion", ""},
		{"s3:ListBucket", List, "accesspoint bucket", "s3:prefix s3:max-keys", ""},
		{"iam:PassRole", Write, "role*", "iam:PassedToService iam:AssociatedResourceArn", ""},
		{"iam:PutRolePolicy", Permissions, "role*", "iam:PermissionsBoundary", ""},
		{"sts:AssumeRole", Write, "role*", "sts:ExternalId aws:TagKeys", ""},
		{"eks:DescribeCluster", Read, "cluster*", "", ""},
		{"eks:TagResource", Tagging, "", "aws:RequestTag/${TagKey} aws:TagKeys", ""},
		{"eks:CreateCluster", Write, "", "eks:authenticationMode eks:kubernetesVersion", ""},
		{"ec2:DescribeInstances", List, "", "ec2:Region", ""},
		{"kms:Decrypt", Write, "key*", "kms:ViaService", ""},
		{"iam:AddRoleToInstanceProfile", Write, "instance-profile*", "", "iam:PassRole"},
	} {
		table, a := Look(tc.action)
		if a == nil {
			t.Errorf("%s isn't in the reference", tc.action)
			continue
		}
		if a.Level != tc.level {
			t.Errorf("%s is a %s, want %s", tc.action, a.Level, tc.level)
		}
		var resources []string
		for _, u := range a.Resources {
			name := table.Resources[u.Type].Name
			if u.Required {
				name += "*"
			}
			resources = append(resources, name)
		}
		if got := strings.Join(resources, " "); tc.resources != "" && got != tc.resources {
			t.Errorf("%s has resources %q, want %q", tc.action, got, tc.resources)
		}
		for _, k := range strings.Fields(tc.keys) {
			if !slices.ContainsFunc(a.Keys, func(n uint16) bool { return table.Keys[n].Name == k }) {
				t.Errorf("%s lacks the key %s", tc.action, k)
			}
		}
		if got := strings.Join(a.Dependent, " "); got != tc.dependent {
			t.Errorf("%s depends on %q, want %q", tc.action, got, tc.dependent)
		}
	}
	if _, a := Look("ec2:RunInstances"); len(a.Resources) < 10 || len(a.Resources[0].Keys) == 0 {
		t.Errorf("ec2:RunInstances has %d resource types, the first with keys %v", len(a.Resources), a.Resources[0].Keys)
	}
}

func TestKeys(t *testing.T) {
	eks, _ := Service("eks")
	for asked, want := range map[string]string{
		"aws:requesttag/team": "aws:RequestTag/${TagKey}", "EKS:CLUSTERNAME": "eks:clusterName",
		"aws:RequestTag/": "", "aws:requesttag": "", "eks:none": "",
	} {
		if k, _ := eks.Key(asked); k.Name != want {
			t.Errorf("Key(%q) = %q, want %q", asked, k.Name, want)
		}
	}
	if k, ok := eks.Key("aws:TagKeys"); !ok || !k.Type.Multivalued() {
		t.Errorf("aws:TagKeys has type %q", k.Type)
	}
	if k, ok := GlobalKey("aws:principaltag/Team"); !ok || k.Type != String {
		t.Errorf("aws:PrincipalTag/Team: %v, %v", k, ok)
	}
	list := Global()
	if !slices.IsSortedFunc(list, func(a, b Key) int { return compareFold(a.Name, b.Name) }) {
		t.Error("the global keys are not sorted")
	}
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		service, resource, arn string
		want                   bool
	}{
		{"eks", "cluster", "arn:aws:eks:us-west-2:111122223333:cluster/demo", true},
		{"eks", "cluster", "arn:aws:eks:us-west-2:111122223333:nodegroup/demo/ng/1", false},
		{"eks", "cluster", "*", false},
		{"eks", "nodegroup", "arn:aws:eks:us-west-2:111122223333:nodegroup/demo/ng/1", true},
		{"iam", "role", "arn:aws:iam::111122223333:role/path/to/r", true},
		{"iam", "role", "arn:aws:iam::111122223333:user/u", false},
		{"s3", "bucket", "arn:aws:s3:::b", true},
		{"s3", "object", "arn:aws:s3:::b/k/e/y", true},
		{"s3", "object", "arn:aws:s3:::b", false},
		{"logs", "log-group", "arn:aws:logs:us-west-2:111122223333:log-group:/aws/eks/demo/cluster", true},
	} {
		table, _ := Service(tc.service)
		i := slices.IndexFunc(table.Resources, func(r ResourceType) bool { return r.Name == tc.resource })
		if i < 0 {
			t.Errorf("%s has no resource type %s", tc.service, tc.resource)
			continue
		}
		if got := table.Resources[i].Matches(tc.arn); got != tc.want {
			t.Errorf("%s matches %s: %v, want %v", table.Resources[i].ARN, tc.arn, got, tc.want)
		}
	}
}

// TestParseErrors: a text that was cut short or mixed up is refused, not half read.
func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"K\taws:x\tString", "S\teks", "S\teks\t1\tx\t1", "S\teks\t0\t0\t1\nA\tCreateCluster",
		"S\teks\t0\t0\t1\nA\tC\tW\t0\t\t", "S\teks\t0\t0\t1\nA\tC\tW\t\t\t0*;;", "S\teks\t0\t0\t1\nA\tC\tW\tx\t\t", "Z\tx", "S\teks\t0\t0\t0\nZ",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	for _, name := range []string{"s3:GetObject", "S3:GETOBJECT", "nope:Nothing", "*"} {
		if n := testing.AllocsPerRun(100, func() { Find(name) }); n != 0 {
			t.Errorf("Find(%q) makes %v allocations", name, n)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for _, name := range []string{"s3:GetObject", "ec2:describeinstances", "elasticloadbalancing:ModifyLoadBalancerAttributes", "none:Such"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Find(name)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(reference); err != nil {
			b.Fatal(err)
		}
	}
}
