package iam_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
)

func TestCredentialReport(t *testing.T) {
	a, ctx := open(t), t.Context()
	_, err := a.admin.GetCredentialReport(ctx, nil)
	refused(t, err, "ReportNotPresent", "")

	client := a.user(t, "b,b", allow("iam:GetUser"))
	ok(t)(client.GetUser(ctx, nil))
	ok(t)(a.admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("a"), Path: aws.String("/x/")}))
	second, err := a.admin.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String("b,b")})
	if err != nil {
		t.Fatal(err)
	}
	ok(t)(a.admin.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: aws.String("b,b"), AccessKeyId: second.AccessKey.AccessKeyId, Status: "Inactive"}))
	a.iam.Close() // the uses above are noted beside the calls

	generate := func() *awsiam.GenerateCredentialReportOutput {
		t.Helper()
		o, err := a.admin.GenerateCredentialReport(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := generate(); o.State != types.ReportStateTypeStarted || aws.ToString(o.Description) != "No report exists. Starting a new report generation task" {
		t.Errorf("%+v", o)
	}
	if o := generate(); o.State != types.ReportStateTypeComplete || o.Description != nil {
		t.Errorf("%+v", o)
	}
	report, err := a.admin.GetCredentialReport(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.ReportFormat != types.ReportFormatTypeTextCsv || time.Since(*report.GeneratedTime) > time.Minute {
		t.Errorf("%s, %s", report.ReportFormat, report.GeneratedTime)
	}
	text := string(report.Content)
	const header = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active," +
		"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service," +
		"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service," +
		"cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated\n"
	if !strings.HasPrefix(text, header) || strings.HasSuffix(text, "\n") || strings.Contains(text, "\r") {
		t.Errorf("%q", text)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	const none = "false N/A N/A N/A N/A"
	const certificates = "false N/A false N/A"
	for n, want := range []string{
		"<root_account> " + arn("root") + " DATE not_supported no_information not_supported not_supported false " + none + " " + none + " " + certificates,
		"a " + arn("user/x/a") + " DATE false N/A N/A N/A false " + none + " " + none + " " + certificates,
		"admin " + arn("user/admin") + " DATE false N/A N/A N/A false true DATE DATE us-west-2 iam " + none + " " + certificates,
		"b,b " + arn("user/b,b") + " DATE false N/A N/A N/A false true DATE DATE us-west-2 iam false DATE N/A N/A N/A " + certificates,
	} {
		for c, cell := range rows[n+1] {
			if _, err := time.Parse("2006-01-02T15:04:05+00:00", cell); err == nil {
				rows[n+1][c] = "DATE"
			}
		}
		if got := strings.Join(rows[n+1], " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}

	// A report is one for four hours.
	a.ahead = 4*time.Hour - time.Minute
	ok(t)(a.admin.GetCredentialReport(ctx, nil))
	a.ahead = 4*time.Hour + time.Second
	_, err = a.admin.GetCredentialReport(ctx, nil)
	refused(t, err, "ReportExpired", "")
	if o := generate(); o.State != types.ReportStateTypeStarted {
		t.Errorf("%+v", o)
	}
	ok(t)(a.admin.GetCredentialReport(ctx, nil))
}

// One row for each user, and the root user's and the header.
func TestCredentialReportOfManyUsers(t *testing.T) {
	i, ctx := listedAccount(t)
	for n := range 200 {
		ok(t)(i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String(fmt.Sprintf("user-%04d", n))}))
	}
	ok(t)(i.GenerateCredentialReport(ctx, nil))
	report, err := i.GetCredentialReport(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Split(string(report.Content), "\n"); len(rows) != 203 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestRoleLastUsed(t *testing.T) {
	a, ctx := open(t), t.Context()
	role := a.role(t, "r", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+number+`"},"Action":"sts:AssumeRole"}]}`)
	used := func() *types.RoleLastUsed {
		t.Helper()
		a.iam.Close() // uses are noted beside the call
		o, err := a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("r")})
		if err != nil {
			t.Fatal(err)
		}
		return o.Role.RoleLastUsed
	}
	assume := func() *awsiam.Client {
		t.Helper()
		o, err := awssts.NewFromConfig(a.root).AssumeRole(ctx, &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")})
		if err != nil {
			t.Fatal(err)
		}
		return awsiam.NewFromConfig(a.Config(*o.Credentials.AccessKeyId, *o.Credentials.SecretAccessKey, *o.Credentials.SessionToken))
	}
	session := assume()
	if u := used(); u == nil || u.LastUsedDate != nil || u.Region != nil {
		t.Errorf("assumed is not used: %+v", u)
	}
	_, err := session.ListUsers(ctx, nil)
	refused(t, err, "AccessDenied", "") // a refused call is a use
	if u := used(); u.LastUsedDate == nil || time.Since(*u.LastUsedDate) > time.Minute || aws.ToString(u.Region) != "us-west-2" {
		t.Errorf("%+v", u)
	}
	details, err := a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{"Role"}})
	if err != nil || details.RoleDetailList[0].RoleLastUsed.LastUsedDate == nil {
		t.Errorf("%+v, %v", details, err)
	}
	// A namesake was never used.
	ok(t)(a.admin.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: aws.String("r")}))
	a.role(t, "r", trustEC2)
	if u := used(); u.LastUsedDate != nil {
		t.Errorf("%+v", u)
	}
}

// A key that was never used has no date, and N/A for the rest; a refused call is a
// use; where and for what is the last call's.
func TestAccessKeyLastUsed(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := a.user(t, "u", "")
	list, err := a.admin.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: aws.String("u")})
	if err != nil {
		t.Fatal(err)
	}
	used := func() string {
		t.Helper()
		a.iam.Close() // uses are noted beside the call
		o, err := a.admin.GetAccessKeyLastUsed(ctx, &awsiam.GetAccessKeyLastUsedInput{AccessKeyId: list.AccessKeyMetadata[0].AccessKeyId})
		if err != nil {
			t.Fatal(err)
		}
		u := o.AccessKeyLastUsed
		return fmt.Sprint(*o.UserName, " ", *u.ServiceName, " ", *u.Region, " ", u.LastUsedDate != nil)
	}
	if got := used(); got != "u N/A N/A false" {
		t.Errorf("never used: %s", got)
	}
	_, err = client.ListUsers(ctx, nil)
	refused(t, err, "AccessDenied", "")
	if got := used(); got != "u iam us-west-2 true" {
		t.Errorf("used: %s", got)
	}
	elsewhere := awsiam.New(client.Options(), func(o *awsiam.Options) { o.Region = "us-east-1" })
	_, err = elsewhere.ListUsers(ctx, nil)
	refused(t, err, "AccessDenied", "")
	if got := used(); got != "u iam us-east-1 true" {
		t.Errorf("used elsewhere: %s", got)
	}
	_, err = awssts.NewFromConfig(a.Keys(t, "u")).GetSessionToken(ctx, nil)
	ok(t)(nil, err)
	if got := used(); got != "u iam us-east-1 true" {
		t.Errorf("another key was used: %s", got)
	}
	_, err = a.admin.GetAccessKeyLastUsed(ctx, &awsiam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String("AKIAAAAAAAAAAAAAAAAA")})
	refused(t, err, "NoSuchEntity", "The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found.")
}
