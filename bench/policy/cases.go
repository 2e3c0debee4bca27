package main

import (
	"fmt"
	"strings"
)

// policyCase is a set of identity policies, with requests to decide under them.
type policyCase struct {
	Name     string    `json:"name"`
	Policies []string  `json:"policies"` // documents
	Requests []request `json:"requests"` // the first is the one that is timed
}

// request is one question, with the answer that AWS documents.
type request struct {
	What     string            `json:"what"` // what the answer shows, if it is wrong
	Action   string            `json:"action"`
	Resource string            `json:"resource"`
	Keys     map[string]string `json:"keys"` // condition keys, each with one value
	Allowed  bool              `json:"allowed"`
}

// The account and the user who asks.
const (
	account  = "111122223333"
	userName = "team-blue"
	userARN  = "arn:aws:iam::" + account + ":user/" + userName
)

// The names of the cases that goals are about.
const (
	oneStatement   = "1 statement"
	oneConditions  = "1 statement, 2 conditions"
	tenTwenty      = "10 × 20, the last decides"
	ofOneService   = "5,000 of one service"
	uncovered      = "10 × 20, action not covered"
	twentyStars    = "20 stars on 60 bytes"
	tenOf          = 10
	twenty         = 20
	manyPolicies   = 50
	manyStatements = 100
)

func allCases() []policyCase {
	ten := documents(tenOf, twenty, wild)
	return []policyCase{
		{oneStatement, documents(1, 1, func(int, int) string {
			return `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`
		}), []request{
			ask("s3:GetObject", "arn:aws:s3:::b/k", true, ""),
			ask("s3:GetObject", "arn:aws:s3:::c/k", false, "allows another bucket"),
		}},
		{oneConditions, documents(1, 1, wild), lastDecides(0, 0)},
		{"100 statements, the last decides", documents(1, 100, wild), lastDecides(0, 99)},
		{tenTwenty, ten, lastDecides(9, 19)},
		{"10 × 20, none allows", ten, []request{ask("s3:GetObject", "arn:aws:s3:::bucket-9-99/k", false, "allows another bucket")}},
		{"10 × 20, another service's action", ten, []request{ask("iam:CreateRole", "arn:aws:iam::"+account+":role/r", false, "allows another service")}},
		{uncovered, ten, []request{ask("s3:PutObject", "arn:aws:s3:::bucket-9-19/k", false, "allows another action")}},
		{ofOneService, documents(manyPolicies, manyStatements, wild), lastDecides(49, 99)},
		{"5,000 of 20 services", documents(manyPolicies, manyStatements, spread), lastDecides(49, 80)},
		{twentyStars, documents(1, 1, func(int, int) string {
			return `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/` + strings.Repeat("*a", 20) + `*b"}`
		}), []request{ask("s3:GetObject", "arn:aws:s3:::b/"+strings.Repeat("a", 60), false, "matches what it should not")}},
	}
}

// lastDecides asks for what policy i and its statement j allow: as it is timed,
// and with conditions that do not hold.
func lastDecides(i, j int) []request {
	resource := fmt.Sprintf("arn:aws:s3:::bucket-%d-%d/k", i, j)
	asOther := ask("s3:GetObject", resource, false, "ignores conditions")
	asOther.Keys = map[string]string{"aws:username": "ops-blue", "aws:SourceIp": "192.168.1.7"}
	fromElsewhere := ask("s3:GetObject", resource, false, "ignores conditions")
	fromElsewhere.Keys = map[string]string{"aws:username": userName, "aws:SourceIp": "198.51.100.7"}
	return []request{ask("s3:GetObject", resource, true, ""), asOther, fromElsewhere}
}

func ask(action, resource string, allowed bool, what string) request {
	keys := map[string]string{"aws:username": userName, "aws:SourceIp": "192.168.1.7"}
	return request{What: what, Action: action, Resource: resource, Keys: keys, Allowed: allowed}
}

// documents makes policies of statements.
func documents(policies, statements int, statement func(policy, n int) string) []string {
	list := make([]string, policies)
	for i := range list {
		texts := make([]string, statements)
		for j := range texts {
			texts[j] = statement(i, j)
		}
		list[i] = `{"Version":"2012-10-17","Statement":[` + strings.Join(texts, ",") + `]}`
	}
	return list
}

const conditions = `"Condition":{"StringLike":{"aws:username":"team-*"},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.168.0.0/16"]}}`

// wild is a statement with wildcards and two conditions.
func wild(i, j int) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":["arn:aws:s3:::bucket-%d-%d/*","arn:aws:s3:::*-%d-%d/a/*/z"],%s}`, i, j, i, j, conditions)
}

// services are twenty that the actions of spread belong to.
var services = []string{"s3", "ec2", "acm", "kms", "eks", "elasticloadbalancing", "autoscaling", "cloudformation", "ssm", "ecr",
	"route53", "logs", "cloudwatch", "sns", "cloudtrail", "elasticfilesystem", "secretsmanager", "lambda", "dynamodb", "sqs"}

// spread is wild, of one service after the other.
func spread(i, j int) string {
	service := services[(i*manyStatements+j)%len(services)]
	if service == "s3" {
		return wild(i, j)
	}
	return fmt.Sprintf(`{"Effect":"Allow","Action":["%s:Get*","%s:List*"],"Resource":["arn:aws:%s:us-east-1:%s:thing-%d-%d/*","arn:aws:%s:us-east-1:%s:*-%d-%d/a/*/z"],%s}`,
		service, service, service, account, i, j, service, account, i, j, conditions)
}
