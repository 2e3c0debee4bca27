package front_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/doortest"
)

// TestCallsWithinTheProcess pass the same stations as others: the model's constraints,
// the policies of whom they are made as, the record.
func TestCallsWithinTheProcess(t *testing.T) {
	a := doortest.New(t)
	door := a.Front(t)
	key := a.AdminKey(t)
	_, admin, err := a.STS.Resolve(t.Context(), key.AccessKeyID, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	nobody := api.Caller{Type: api.User, AccountID: doortest.Number, ARN: "arn:aws:iam::" + doortest.Number + ":user/gone", PrincipalID: "AIDAGONE"}
	for _, tc := range []struct {
		who             api.Caller
		operation, name string
		code, text      string
	}{
		{admin, "GetRole", "absent", "NoSuchEntity", "absent"},
		{admin, "GetRole", strings.Repeat("x", 65), "ValidationError", "less than or equal to 64"},
		{admin, "GetRole", "", "ValidationError", "roleName"},
		{admin, "GetNothing", "absent", "InvalidAction", "GetNothing"},
		{nobody, "GetRole", "absent", "AccessDenied", "is not authorized to perform: iam:GetRole"},
	} {
		tc.who.Service = "cloudformation.amazonaws.com"
		in := &awsiam.GetRoleInput{}
		if tc.name != "" {
			in.RoleName = aws.String(tc.name)
		}
		_, err := door.Do(t.Context(), tc.who, "iam", tc.operation, in)
		doortest.Refused(t, err, tc.code, tc.text)
	}
	if _, err := door.Do(t.Context(), admin, "iam", "ListRoles", &awsiam.ListRolesInput{}); err == nil {
		t.Error("a call of no service was made")
	}
	if err := a.Trail.Flush(); err != nil {
		t.Fatal(err)
	}
	events, err := cloudtrail.Read(a.TrailDir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 4 || events[0].SourceIPAddress != "cloudformation.amazonaws.com" || events[0].UserIdentity["invokedBy"] != "cloudformation.amazonaws.com" || events[3].ErrorCode != "AccessDenied" {
		t.Errorf("recorded are %+v", events)
	}
}
