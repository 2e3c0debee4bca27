package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
)

// A principal is found by its ARN as it is, path and case included, and is another
// when it is made again.
func TestPrincipalIDs(t *testing.T) {
	a, ctx := open(t), t.Context()
	role := a.role(t, "node", trustEC2)
	user, err := a.admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("bob"), Path: aws.String("/ops/")})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("node")})
	if err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]string{
		role: *got.Role.RoleId, arn("user/ops/bob"): *user.User.UserId, arn("root"): arn("root")[len("arn:aws:iam::") : len("arn:aws:iam::")+12],
		arn("user/bob"): "", arn("user/ops/Bob"): "", arn("role/bob"): "", arn("user/node"): "", arn("group/node"): "", arn("role/none"): "", "node": "", "": "",
		"arn:aws:iam::444455556666:root": "", "arn:aws:iam::444455556666:role/node": "",
	} {
		if id, ok := a.iam.PrincipalID(of); ok != (want != "") || ok && id != want {
			t.Errorf("%s: %q, %t; want %q", of, id, ok, want)
		}
	}
	if _, err := a.admin.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: aws.String("node")}); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.iam.PrincipalID(role); ok {
		t.Error("a deleted role is found")
	}
	a.role(t, "node", trustEC2)
	if id, ok := a.iam.PrincipalID(role); !ok || id == *got.Role.RoleId {
		t.Errorf("made again it is %s, as before", id)
	}
}
