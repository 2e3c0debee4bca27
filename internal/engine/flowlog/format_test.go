package flowlog

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// The examples of AWS's documentation, to the letter.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
func TestDocumentedRecords(t *testing.T) {
	eni := func(a string) *Interface {
		return &Interface{ID: "eni-1235b8ca123456789", Account: "123456789010", VPC: "vpc-abcdefab012345678", Subnet: "subnet-aaaaaaaa012345678",
			Instance: "i-01234567890123456", Addr: addr(a)}
	}
	flow := func(d Direction, from string, fromPort uint16, to string, toPort uint16, proto uint8, rejected bool) Flow {
		return Flow{addr(from), addr(to), fromPort, toPort, proto, d, rejected}
	}
	const flags = "${version} ${vpc-id} ${subnet-id} ${instance-id} ${interface-id} ${account-id} ${type} ${srcaddr} ${dstaddr} ${srcport} ${dstport} " +
		"${pkt-srcaddr} ${pkt-dstaddr} ${protocol} ${bytes} ${packets} ${start} ${end} ${action} ${tcp-flags} ${log-status}"
	for name, test := range map[string]struct {
		format string
		record Record
		line   string
	}{
		"accepted": {DefaultFormat, Record{Interface: eni("172.31.16.21"), Flow: flow(Ingress, "172.31.16.139", 20641, "172.31.16.21", 22, 6, false),
			Packets: 20, Bytes: 4249, Start: 1418530010, End: 1418530070},
			"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"},
		"rejected": {DefaultFormat, Record{Interface: eni("172.31.9.12"), Flow: flow(Ingress, "172.31.9.69", 49761, "172.31.9.12", 3389, 6, true),
			Packets: 20, Bytes: 4249, Start: 1418530010, End: 1418530070},
			"2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK"},
		"no data": {DefaultFormat, Record{Interface: eni("172.31.9.12"), Start: 1431280876, End: 1431280934, Status: NoData},
			"2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA"},
		"skipped": {DefaultFormat, Record{Interface: eni("172.31.9.12"), Start: 1431280876, End: 1431280934, Status: SkipData},
			"2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - SKIPDATA"},
		"ping, accepted": {DefaultFormat, Record{Interface: eni("172.31.16.139"), Flow: flow(Ingress, "203.0.113.12", 0, "172.31.16.139", 0, 1, false),
			Packets: 4, Bytes: 336, Start: 1432917027, End: 1432917142},
			"2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK"},
		"ping's answer, rejected": {DefaultFormat, Record{Interface: eni("172.31.16.139"), Flow: flow(Egress, "172.31.16.139", 0, "203.0.113.12", 0, 1, true),
			Packets: 4, Bytes: 336, Start: 1432917094, End: 1432917142},
			"2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 REJECT OK"},
		"SYN": {flags, Record{Interface: eni("10.0.0.62"), Flow: flow(Ingress, "52.213.180.42", 43416, "10.0.0.62", 5001, 6, false),
			Packets: 8, Bytes: 568, Start: 1566848875, End: 1566848933, Flags: 2},
			"3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK"},
		"SYN-ACK": {flags, Record{Interface: eni("10.0.0.62"), Flow: flow(Egress, "10.0.0.62", 5001, "52.213.180.42", 43416, 6, false),
			Packets: 7, Bytes: 376, Start: 1566848875, End: 1566848933, Flags: 18},
			"3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43416 10.0.0.62 52.213.180.42 6 376 7 1566848875 1566848933 ACCEPT 18 OK"},
		// A pod's address is not that of its node's interface.
		"a pod's": {"${instance-id} ${interface-id} ${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr} ${flow-direction} ${traffic-path}",
			Record{Interface: eni("10.0.1.5"), Flow: flow(Egress, "10.0.9.7", 40000, "203.0.113.5", 80, 6, false), Outside: true},
			"i-01234567890123456 eni-1235b8ca123456789 10.0.1.5 203.0.113.5 10.0.9.7 203.0.113.5 egress 1"},
		"what nothing here has": {"${ecs-task-id} ${sublocation-id} ${pkt-dst-aws-service} ${reject-reason} ${version}",
			Record{Interface: eni("10.0.1.5"), Flow: flow(Egress, "10.0.1.5", 1, "10.0.1.6", 2, 17, false)}, "- - - - 8"},
		"through the gateway": {"${traffic-path} ${type}",
			Record{Interface: &Interface{Addr: addr("10.0.1.5"), Public: true}, Flow: flow(Egress, "10.0.1.5", 1, "203.0.113.5", 2, 17, false), Outside: true}, "8 IPv4"},
		"inwards": {"${traffic-path} ${flow-direction}",
			Record{Interface: eni("10.0.1.5"), Flow: flow(Ingress, "10.0.1.6", 1, "10.0.1.5", 2, 17, false)}, "- ingress"},
		"no instance, no data": {"${instance-id} ${vpc-id} ${srcport} ${tcp-flags}",
			Record{Interface: &Interface{ID: "eni-1", VPC: "vpc-1"}, Status: NoData}, "- vpc-1 - -"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFormat(test.format)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(f.Append(nil, &test.record)); got != test.line {
				t.Errorf("got  %s\nwant %s", got, test.line)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	f, err := ParseFormat(DefaultFormat)
	if err != nil || f.version != 2 || f.Has("tcp-flags") || !f.Has("action") {
		t.Errorf("%+v, %v", f, err)
	}
	if got := f.Header(); got != "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status" {
		t.Errorf("header %q", got)
	}
	for _, text := range []string{"", " ", "version", "${version", "${Version}", "${version} ", "${version}  ${bytes}", "${version},${bytes}", "${nothing}", "$version", "${}"} {
		if _, err := ParseFormat(text); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	f.Add(DefaultFormat)
	f.Add("${version} ${ecs-task-arn}")
	f.Fuzz(func(t *testing.T, text string) {
		format, err := ParseFormat(text)
		if err != nil {
			return
		}
		if got := "${" + strings.Join(strings.Split(format.Header(), " "), "} ${") + "}"; got != text {
			t.Errorf("%q was read as %q", text, got)
		}
		r := Record{Interface: &Interface{}, Status: NoData}
		if n := strings.Count(string(format.Append(nil, &r)), " "); n != strings.Count(text, " ") {
			t.Errorf("%q has %d values", text, n+1)
		}
	})
}
