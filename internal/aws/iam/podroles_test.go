package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func TestNamesService(t *testing.T) {
	a := doortest.New(t)
	client := awsiam.NewFromConfig(a.Open(t).Admin)
	statement := func(principal, actions, more string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,"Action":` + actions + more + `}`
	}
	const pods, both = `{"Service":"pods.eks.amazonaws.com"}`, `["sts:AssumeRole","sts:TagSession"]`
	for name, c := range map[string]struct {
		statements string
		want       bool
	}{
		"as-documented":   {statement(pods, both, ""), true},
		"with-conditions": {statement(pods, both, `,"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"x"}}`), true},
		"in-two":          {statement(pods, `"sts:AssumeRole"`, "") + "," + statement(pods, `"sts:TagSession"`, ""), true},
		"by-pattern":      {statement(pods, `"sts:*"`, ""), true},
		"among-others":    {statement(`{"Service":["ec2.amazonaws.com","pods.eks.amazonaws.com"]}`, both, ""), true},
		"without-tags":    {statement(pods, `"sts:AssumeRole"`, ""), false},
		"another-service": {statement(`{"Service":"ec2.amazonaws.com"}`, both, ""), false},
		"accounts":        {statement(`{"AWS":"111122223333"}`, both, ""), false},
		"denied":          {`{"Effect":"Deny","Principal":` + pods + `,"Action":` + both + `}`, false},
	} {
		if _, err := client.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + c.statements + `]}`)}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		exists, names := a.IAM.NamesService("arn:aws:iam::111122223333:role/"+name, "pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession")
		if !exists || names != c.want {
			t.Errorf("%s: %t, %t", name, exists, names)
		}
	}
	if exists, _ := a.IAM.NamesService("arn:aws:iam::111122223333:role/none", "pods.eks.amazonaws.com"); exists {
		t.Error("a role that isn't there")
	}
}
