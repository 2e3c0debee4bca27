package imds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var launched = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func instance() Instance {
	return Instance{
		ID: "i-0123456789abcdef0", Reservation: "r-1", Type: "m5.large", AMI: "ami-0abc", Account: "111122223333",
		Region: "us-west-2", Zone: "us-west-2a", ZoneID: "usw2-az1", Launched: launched,
		Addr: netip.MustParseAddr("10.0.64.5"), Name: "ip-10-0-64-5.us-west-2.compute.internal",
		Interfaces: []Interface{
			{
				ID: "eni-1", MAC: "02:11:22:33:44:55", Addr: netip.MustParseAddr("10.0.64.5"), Pods: []netip.Prefix{netip.MustParsePrefix("10.0.65.0/27")},
				Subnet: "subnet-1", SubnetCIDR: netip.MustParsePrefix("10.0.64.0/19"), VPC: "vpc-1",
				VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.1.0.0/16")},
				Groups:   []Group{{"sg-1", "nodes"}, {"sg-2", "more"}},
			},
			{ID: "eni-2", MAC: "02:11:22:33:44:66", Addr: netip.MustParseAddr("10.0.64.6"), Subnet: "subnet-1", SubnetCIDR: netip.MustParsePrefix("10.0.64.0/19"), VPC: "vpc-1"},
		},
		Role: "ng-role", ProfileARN: "arn:aws:iam::111122223333:instance-profile/ng", ProfileID: "AIPAXXXX",
		Credentials: func(_ context.Context, v Version) (Credentials, error) {
			return Credentials{"ASIAX", "secret", "session " + string(v), launched, launched.Add(6 * time.Hour)}, nil
		},
		UserData: []byte("#!/bin/sh\n"),
	}
}

// service answers for the instance at its own and its pods' addresses, with a
// clock that the test turns.
func service(change func(*Instance)) (*Server, *time.Time) {
	i := instance()
	if change != nil {
		change(&i)
	}
	now := launched
	s := New(Config{Now: func() time.Time { return now }, Instance: func(a netip.Addr) (Instance, bool) {
		return i, a == i.Addr || i.Interfaces[0].Pods[0].Contains(a)
	}})
	return s, &now
}

func call(s *Server, from, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = from + ":40000"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func body(r *http.Response) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

const node = "10.0.64.5"

func token(t *testing.T, s *Server, from string) string {
	t.Helper()
	r := call(s, from, "PUT", tokenPath, ttlHeader, "60")
	if r.StatusCode != 200 || r.Header.Get(ttlHeader) != "60" {
		t.Fatalf("token: %s, %v", r.Status, r.Header)
	}
	return body(r)
}

func TestPaths(t *testing.T) {
	s, _ := service(nil)
	tok := token(t, s, node)
	mac := "/latest/meta-data/network/interfaces/macs/02:11:22:33:44:55/"
	other := "/latest/meta-data/network/interfaces/macs/02:11:22:33:44:66/"
	for path, want := range map[string]string{
		"/":                                           strings.Join(versions, "\n"),
		"/latest":                                     "dynamic\nmeta-data\nuser-data",
		"/latest/":                                    "dynamic\nmeta-data\nuser-data",
		"/2021-07-15/meta-data/instance-id":           "i-0123456789abcdef0",
		"/latest/meta-data/ami-id":                    "ami-0abc",
		"/latest/meta-data/instance-id":               "i-0123456789abcdef0",
		"/latest/meta-data/instance-type":             "m5.large",
		"/latest/meta-data/local-ipv4":                "10.0.64.5",
		"/latest/meta-data/local-hostname":            "ip-10-0-64-5.us-west-2.compute.internal",
		"/latest/meta-data/hostname":                  "ip-10-0-64-5.us-west-2.compute.internal",
		"/latest/meta-data/mac":                       "02:11:22:33:44:55",
		"/latest/meta-data/placement/":                "availability-zone\navailability-zone-id\nregion",
		"/latest/meta-data/placement/region":          "us-west-2",
		"/latest/meta-data/services":                  "domain\npartition",
		"/latest/meta-data/services/domain":           "amazonaws.com",
		"/latest/meta-data/iam/":                      "info\nsecurity-credentials/",
		"/latest/meta-data/iam":                       "info\nsecurity-credentials/",
		"/latest/meta-data/iam/security-credentials/": "ng-role",
		"/latest/meta-data/iam/security-credentials":  "ng-role",
		"/latest/meta-data/network/interfaces/macs/":  "02:11:22:33:44:55/\n02:11:22:33:44:66/",
		"/latest/meta-data/reservation-id":            "r-1",
		"/latest/meta-data/security-groups":           "nodes\nmore",
		mac + "subnet-id":                             "subnet-1",
		mac + "vpc-ipv4-cidr-block":                   "10.0.0.0/16",
		mac + "vpc-ipv4-cidr-blocks":                  "10.0.0.0/16\n10.1.0.0/16",
		mac + "security-group-ids":                    "sg-1\nsg-2",
		other + "device-number":                       "1",
		other + "local-ipv4s":                         "10.0.64.6",
		mac + "ipv4-prefix":                           "10.0.65.0/27",
		"/latest/dynamic/":                            "fws/\ninstance-identity/",
		"/latest/dynamic/fws/instance-monitoring":     "disabled",
		"/latest/dynamic/instance-identity/":          "document",
		"/latest/user-data":                           "#!/bin/sh\n",
	} {
		r := call(s, node, "GET", path, tokenHeader, tok)
		if got := body(r); r.StatusCode != 200 || got != want {
			t.Errorf("%s: %s %q, want %q", path, r.Status, got, want)
		}
	}
	for _, path := range []string{
		"/latest/meta-data/nothing", "/latest/dynamic/instance-identity/signature", "/latest/dynamic/instance-identity/pkcs7",
		"/lates", "/latest/meta-data/iam/security-credentials/other", "/latest/meta-data/instance-id/", "/latest/meta-data/public-ipv4",
		"/latest/meta-dat", "/latest/meta-data/ia", "/2021-07-16/meta-data/instance-id", other + "ipv4-prefix", other + "security-groups",
		"/latest/meta-data/tags", "/latest/meta-data/spot/instance-action", "/latest/meta-data/events/recommendations/rebalance",
		"/latest/meta-data/public-keys/", "/latest/meta-data/kernel-id", "/latest/api/token",
	} {
		if r := call(s, node, "GET", path, tokenHeader, tok); r.StatusCode != 404 {
			t.Errorf("%s: %s, want 404", path, r.Status)
		}
	}
}

func TestCredentials(t *testing.T) {
	s, _ := service(nil)
	var got map[string]string
	r := call(s, node, "GET", "/latest/meta-data/iam/security-credentials/ng-role", tokenHeader, token(t, s, node))
	if err := json.Unmarshal([]byte(body(r)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAX", "SecretAccessKey": "secret", "Token": "session 2.0",
		"LastUpdated": "2026-11-23T10:00:00Z", "Expiration": "2026-11-23T16:00:00Z",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name, test := range map[string]struct {
		change func(*Instance)
		code   int
	}{
		"no role": {func(i *Instance) { i.Role = "" }, 404},
		"credentials not ready": {func(i *Instance) {
			i.Credentials = func(context.Context, Version) (Credentials, error) { return Credentials{}, errors.New("no") }
		}, 503},
	} {
		s, _ := service(test.change)
		if r := call(s, node, "GET", "/latest/meta-data/iam/security-credentials/ng-role", tokenHeader, token(t, s, node)); r.StatusCode != test.code {
			t.Errorf("%s: %s, want %d", name, r.Status, test.code)
		}
	}
}

func TestDocument(t *testing.T) {
	s, _ := service(nil)
	var doc map[string]any
	r := call(s, node, "GET", "/latest/dynamic/instance-identity/document", tokenHeader, token(t, s, node))
	if err := json.Unmarshal([]byte(body(r)), &doc); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"accountId": "111122223333", "region": "us-west-2", "instanceId": "i-0123456789abcdef0",
		"pendingTime": "2026-11-23T10:00:00Z", "privateIp": node, "kernelId": nil,
	} {
		if got, ok := doc[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestTokens(t *testing.T) {
	s, now := service(nil)
	const path = "/latest/meta-data/instance-id"
	tok := token(t, s, node)
	get := func(from string, headers ...string) int { return call(s, from, "GET", path, headers...).StatusCode }
	for name, test := range map[string]struct{ got, want int }{
		"with it":                 {get(node, tokenHeader, tok), 200},
		"from the instance's pod": {get("10.0.65.9", tokenHeader, tok), 200},
		"without":                 {get(node), 401},
		"garbled":                 {get(node, tokenHeader, "x"+tok), 401},
		"changed":                 {get(node, tokenHeader, strings.Replace(tok, tok[12:14], "zz", 1)), 401},
		"from nobody's address":   {get("10.0.64.6", tokenHeader, tok), 403},
		"deleting":                {call(s, node, "DELETE", path, tokenHeader, tok).StatusCode, 405},
		"token: no TTL":           {call(s, node, "PUT", tokenPath).StatusCode, 400},
		"token: TTL 0":            {call(s, node, "PUT", tokenPath, ttlHeader, "0").StatusCode, 400},
		"token: TTL too long":     {call(s, node, "PUT", tokenPath, ttlHeader, "21601").StatusCode, 400},
		"token: TTL not a number": {call(s, node, "PUT", tokenPath, ttlHeader, "1h").StatusCode, 400},
		"token: through a proxy":  {call(s, node, "PUT", tokenPath, ttlHeader, "60", "X-Forwarded-For", "1.2.3.4").StatusCode, 403},
		"token: elsewhere":        {call(s, node, "PUT", "/latest/api/other", ttlHeader, "60").StatusCode, 404},
		"token: nobody's address": {call(s, "10.0.64.6", "PUT", tokenPath, ttlHeader, "60").StatusCode, 403},
	} {
		if test.got != test.want {
			t.Errorf("%s: %d, want %d", name, test.got, test.want)
		}
	}
	*now = now.Add(60 * time.Second)
	if got := get(node, tokenHeader, tok); got != 401 {
		t.Errorf("after its life: %d, want 401", got)
	}
	// Another instance's token.
	other := New(Config{Key: s.tokens.key, Now: s.now, Instance: func(netip.Addr) (Instance, bool) { return Instance{ID: "i-other"}, true }})
	if got := get(node, tokenHeader, token(t, other, "10.0.64.9")); got != 401 {
		t.Errorf("another instance's token: %d, want 401", got)
	}
}

func TestVersionOne(t *testing.T) {
	s, _ := service(func(i *Instance) { i.TokensOptional = true })
	if r := call(s, node, "GET", "/latest/meta-data/instance-id"); r.StatusCode != 200 {
		t.Errorf("without a token: %s", r.Status)
	}
	if r := call(s, node, "GET", "/latest/meta-data/instance-id", tokenHeader, "wrong"); r.StatusCode != 401 {
		t.Errorf("with a wrong token: %s", r.Status)
	}
	const keys = "/latest/meta-data/iam/security-credentials/ng-role"
	if got := body(call(s, node, "GET", keys)); !strings.Contains(got, `"Token" : "session 1.0"`) {
		t.Errorf("credentials without a token: %s", got)
	}
	if got := body(call(s, node, "GET", keys, tokenHeader, token(t, s, node))); !strings.Contains(got, `"Token" : "session 2.0"`) {
		t.Errorf("credentials with a token: %s", got)
	}
}

func TestDisabled(t *testing.T) {
	s, _ := service(nil)
	tok := token(t, s, node)
	off, _ := service(func(i *Instance) { i.Disabled = true })
	off.tokens = s.tokens
	for name, r := range map[string]*http.Response{
		"reading":  call(off, node, "GET", "/latest/meta-data/instance-id", tokenHeader, tok),
		"the root": call(off, node, "GET", "/", tokenHeader, tok),
		"a token":  call(off, node, "PUT", tokenPath, ttlHeader, "60"),
	} {
		if r.StatusCode != 403 {
			t.Errorf("%s: %s, want 403", name, r.Status)
		}
	}
}

func TestTags(t *testing.T) {
	s, _ := service(func(i *Instance) { i.Tags = map[string]string{"Name": "one", "empty": ""} })
	tok := token(t, s, node)
	for path, want := range map[string]string{"tags": "instance/", "tags/instance": "Name\nempty", "tags/instance/Name": "one", "tags/instance/empty": ""} {
		if r := call(s, node, "GET", "/latest/meta-data/"+path, tokenHeader, tok); r.StatusCode != 200 || body(r) != want {
			t.Errorf("%s: %s, want %q", path, r.Status, want)
		}
	}
	if r := call(s, node, "GET", "/latest/meta-data/tags/instance/other", tokenHeader, tok); r.StatusCode != 404 {
		t.Errorf("a tag that is not there: %s", r.Status)
	}
}

// A role that does not trust EC2 is shown with AWS's reason.
func TestRefusedRole(t *testing.T) {
	s, _ := service(func(i *Instance) {
		i.Credentials = func(context.Context, Version) (Credentials, error) {
			return Credentials{}, &Refusal{"AssumeRoleUnauthorizedAccess", "EC2 cannot assume the role ng-role.", launched}
		}
	})
	const want = `{
  "Code" : "AssumeRoleUnauthorizedAccess",
  "Message" : "EC2 cannot assume the role ng-role.",
  "LastUpdated" : "2026-11-23T10:00:00Z"
}`
	for _, path := range []string{"info", "security-credentials/ng-role"} {
		if got := body(call(s, node, "GET", "/latest/meta-data/iam/"+path, tokenHeader, token(t, s, node))); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
