package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"go.uber.org/goleak"

	"github.com/eksact/eksact/internal/aws/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	at     = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	caller = &api.Caller{
		Type: api.AssumedRole, Partition: "aws", AccountID: "111122223333",
		ARN: "arn:aws:sts::111122223333:assumed-role/User1_CLI_role/user1", UserID: "AROAEXAMPLE:user1",
		PrincipalARN: "arn:aws:iam::111122223333:role/team/User1_CLI_role", PrincipalID: "AROAEXAMPLE", Name: "User1_CLI_role",
		AccessKeyID: "ASIAEXAMPLE", Session: &api.Session{Name: "user1", IssuedAt: at.Add(-time.Minute)},
		SourceIP: netip.MustParseAddr("198.18.0.1"), UserAgent: `aws-cli/1.45 "x"`, TLS: true, RequestID: "11111111-2222-4333-8444-555555555555", Region: "us-west-2",
	}
)

func createRole() Event {
	return Event{
		Time: at, Caller: caller, Account: "111122223333", Service: "iam", Name: "CreateRole", Region: "us-west-2", Host: "iam.amazonaws.com", TLS: 0x304, Cipher: 0x1301, EventID: "e",
		Input: &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String("{\"a\":\n\"é\"}"), MaxSessionDuration: aws.Int32(3600),
			Tags: []iamtypes.Tag{{Key: aws.String("k"), Value: aws.String("")}}},
		Output: &iam.CreateRoleOutput{Role: &iamtypes.Role{RoleName: aws.String("r"), CreateDate: &at, Arn: aws.String("arn:aws:iam::111122223333:role/r")}},
	}
}

// TestShape compares whole lines with what CloudTrail writes.
func TestShape(t *testing.T) {
	for _, c := range []struct {
		name string
		e    Event
		want string
	}{
		{"a role session's write", createRole(), `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:user1","arn":"arn:aws:sts::111122223333:assumed-role/User1_CLI_role/user1","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/team/User1_CLI_role","accountId":"111122223333","userName":"User1_CLI_role"},"attributes":{"creationDate":"2026-11-23T18:59:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-11-23T19:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateRole","awsRegion":"us-east-1","sourceIPAddress":"198.18.0.1","userAgent":"aws-cli/1.45 \"x\"","requestParameters":{"assumeRolePolicyDocument":"{\"a\":\n\"é\"}","roleName":"r","maxSessionDuration":3600,"tags":[{"key":"k","value":""}]},"responseElements":{"role":{"arn":"arn:aws:iam::111122223333:role/r","createDate":"Nov 23, 2026, 7:00:00 PM","roleName":"r"}},"requestID":"11111111-2222-4333-8444-555555555555","eventID":"e","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"iam.amazonaws.com"}}`},
		{"a user's refused read", Event{Time: at, Account: "111122223333", Service: "sts", Name: "GetCallerIdentity", Region: "us-west-2", EventID: "e", ErrorCode: "AccessDenied", ErrorMessage: "no",
			Caller: &api.Caller{Type: api.User, AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:user/u", UserID: "AIDA", Name: "u", AccessKeyID: "AKIA"},
			Input:  &sts.GetCallerIdentityInput{}, Output: (*sts.GetCallerIdentityOutput)(nil)},
			`{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDA","arn":"arn:aws:iam::111122223333:user/u","accountId":"111122223333","accessKeyId":"AKIA","userName":"u"},"eventTime":"2026-11-23T19:00:00Z","eventSource":"sts.amazonaws.com","eventName":"GetCallerIdentity","awsRegion":"us-west-2","sourceIPAddress":"","userAgent":"","errorCode":"AccessDenied","errorMessage":"no","requestParameters":null,"responseElements":null,"requestID":"","eventID":"e","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`},
		{"a web identity", Event{Time: at, Account: "1", Service: "sts", Name: "AssumeRoleWithWebIdentity", Region: "us-west-2", EventID: "e",
			Input: &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String("r"), WebIdentityToken: aws.String("SECRET-TOKEN")},
			Output: &sts.AssumeRoleWithWebIdentityOutput{Provider: aws.String("p"), Audience: aws.String("sts.amazonaws.com"), SubjectFromWebIdentityToken: aws.String("s"),
				Credentials: &ststypes.Credentials{AccessKeyId: aws.String("ASIA"), SecretAccessKey: aws.String("SECRET-KEY"), SessionToken: aws.String("tok")}}},
			`{"eventVersion":"1.11","userIdentity":{"type":"WebIdentityUser","principalId":"p:sts.amazonaws.com:s","userName":"s","identityProvider":"p"},"eventTime":"2026-11-23T19:00:00Z","eventSource":"sts.amazonaws.com","eventName":"AssumeRoleWithWebIdentity","awsRegion":"us-west-2","sourceIPAddress":"","userAgent":"","requestParameters":{"roleArn":"r"},"responseElements":{"audience":"sts.amazonaws.com","credentials":{"accessKeyId":"ASIA","sessionToken":"tok"},"provider":"p","subjectFromWebIdentityToken":"s"},"requestID":"","eventID":"e","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"1","eventCategory":"Management"}`},
	} {
		got := string(newEncoder().event(nil, &c.e))
		if got != c.want+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: not JSON", c.name)
		}
	}
}

// TestSecrets: what must not be in a log isn't.
func TestSecrets(t *testing.T) {
	secret := aws.String("SECRET")
	for _, e := range []Event{
		{Name: "CreateLoginProfile", Input: &iam.CreateLoginProfileInput{UserName: aws.String("u"), Password: secret}},
		{Name: "ChangePassword", Input: &iam.ChangePasswordInput{OldPassword: secret, NewPassword: secret}},
		{Name: "CreateAccessKey", Output: &iam.CreateAccessKeyOutput{AccessKey: &iamtypes.AccessKey{AccessKeyId: aws.String("AKIA"), SecretAccessKey: secret}}},
		{Name: "UploadServerCertificate", Input: &iam.UploadServerCertificateInput{PrivateKey: secret}},
		{Name: "CreateVirtualMFADevice", Output: &iam.CreateVirtualMFADeviceOutput{VirtualMFADevice: &iamtypes.VirtualMFADevice{Base32StringSeed: []byte("SECRET")}}},
	} {
		if line := string(newEncoder().event(nil, &e)); strings.Contains(line, "SECRET") || strings.Contains(line, "U0VDUkVU") {
			t.Errorf("%s leaks: %s", e.Name, line)
		}
	}
}

// TestLargeField: CloudTrail leaves out parameters over 100 KB.
func TestLargeField(t *testing.T) {
	e := createRole()
	e.Input = &iam.CreateRoleInput{Description: aws.String(strings.Repeat("x", mostOfField))}
	line := newEncoder().event(nil, &e)
	var record Record
	if err := json.Unmarshal(line, &record); err != nil {
		t.Fatal(err)
	}
	if record.RequestParameters["omitted"] != true || len(line) > 10_000 {
		t.Errorf("a line of %d bytes: %v", len(line), record.RequestParameters)
	}
}

// TestRecordAndRead: many writers, every event once, in files within bounds.
func TestRecordAndRead(t *testing.T) {
	dir := t.TempDir()
	trail, err := Open(dir, Options{SegmentBytes: 20_000, Queue: 4})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				e := createRole()
				e.EventID = fmt.Sprintf("%d-%d", w, i)
				trail.Record(e)
			}
		})
	}
	wg.Wait()
	if err := trail.Flush(); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		records, err := Read(dir, at)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, r := range records {
			seen[r.EventID]++
		}
		if len(records) != 400 || len(seen) != 400 {
			t.Fatalf("%d events, %d distinct, want 400", len(records), len(seen))
		}
	}
	check()
	list, _ := listSegments(dir)
	if len(list) < 5 {
		t.Errorf("only %d segments", len(list))
	}
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	trail.Record(createRole()) // does nothing, and does not hang
	check()
	if records, _ := Read(dir, at.Add(time.Second)); len(records) != 0 {
		t.Errorf("%d events of the future", len(records))
	}
}

// TestReopenAfterCrash: a torn last line is left out, and the next trail's
// events are found beside the old, even under a clock that went back.
func TestReopenAfterCrash(t *testing.T) {
	dir := t.TempDir()
	line := newEncoder().event(nil, &Event{Time: at, Name: "Old"})
	torn := append(append([]byte(nil), line...), line[:40]...)
	if err := os.WriteFile(filepath.Join(dir, "99990101T000000.000000Z-000001.jsonl"), torn, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		trail, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		trail.Record(createRole())
		if err := trail.Close(); err != nil {
			t.Fatal(err)
		}
	}
	records, err := Read(dir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range records {
		names = append(names, r.EventName)
	}
	if got := strings.Join(names, " "); got != "Old CreateRole CreateRole CreateRole" {
		t.Errorf("read %q", got)
	}
}

// TestTotalIsBounded keeps the newest.
func TestTotalIsBounded(t *testing.T) {
	dir := t.TempDir()
	trail, err := Open(dir, Options{SegmentBytes: 4_000, TotalBytes: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		e := createRole()
		e.Name = fmt.Sprintf("Op%03d", i)
		trail.Record(e)
		if i%10 == 9 {
			if err := trail.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	var sum int64
	list, _ := listSegments(dir)
	for _, one := range list {
		sum += one.size
	}
	if sum > 20_000+4_000+20_000 {
		t.Errorf("%d bytes are kept", sum)
	}
	records, err := Read(dir, at)
	if err != nil || len(records) == 0 || len(records) >= 200 || records[len(records)-1].EventName != "Op199" {
		t.Errorf("%d events, %v", len(records), err)
	}
}

// TestFailingDisk: Err says so, recording waits, and all is written once the
// directory is back.
func TestFailingDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "trail")
	trail, err := Open(dir, Options{SegmentBytes: 1, FlushEvery: time.Millisecond}) // every write begins a segment
	if err != nil {
		t.Fatal(err)
	}
	away := dir + ".away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	trail.Record(createRole())
	if err := trail.Flush(); err == nil || trail.Err() == nil {
		t.Fatalf("a missing directory goes unnoticed: %v, %v", err, trail.Err())
	}
	trail.Record(createRole())
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	if err := trail.Flush(); err != nil || trail.Err() != nil {
		t.Fatalf("after its return: %v, %v", err, trail.Err())
	}
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	if records, err := Read(dir, at); err != nil || len(records) != 2 {
		t.Errorf("%d events, %v, want 2", len(records), err)
	}
}

// TestWrittenUnasked: an event is in its file within a second without Flush.
func TestWrittenUnasked(t *testing.T) {
	dir := t.TempDir()
	trail, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	trail.Record(createRole())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if records, err := Read(dir, at); err == nil && len(records) == 1 {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("not written within a second")
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	trail, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	e := createRole()
	for b.Loop() {
		trail.Record(e)
	}
	b.StopTimer()
	if err := trail.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkEncode(b *testing.B) {
	enc, e := newEncoder(), createRole()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = enc.event(buf[:0], &e)
	}
}

// TestCrowdIsTaken: many events wake the writer, which need not wait for its
// tick; a queue smaller than the crowd does not either.
func TestCrowdIsTaken(t *testing.T) {
	for _, queue := range []int{1, 8, 4096} {
		dir := t.TempDir()
		trail, err := Open(dir, Options{Queue: queue, FlushEvery: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for range 3 * 4096 {
			trail.Record(createRole())
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("with a queue of %d, recording took %v", queue, took)
		}
		if err := trail.Close(); err != nil {
			t.Fatal(err)
		}
		if records, err := Read(dir, at); err != nil || len(records) != 3*4096 {
			t.Errorf("with a queue of %d: %d events, %v", queue, len(records), err)
		}
	}
}
