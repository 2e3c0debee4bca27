package main

import (
	"fmt"
	"strings"
)

// place is what a policy is attached to, which says what may stand in it.
type place int

const (
	ofIdentity place = iota
	ofOrganization
	ofResource
	ofResources // an organization's resource control policy
	ofEndpoint
)

func (m maker) policy(at place) string {
	list := make([]string, 1+m.IntN(2))
	for i := range list {
		list[i] = m.statement(at)
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
}

func (m maker) statement(at place) string {
	effect, action, resource := m.one("Allow", "Allow", "Allow", "Deny"), m.one("Action", "Action", "Action", "NotAction"), m.one("Resource", "Resource", "Resource", "NotResource")
	switch {
	case at == ofResources:
		effect, action = "Deny", "Action"
	case at == ofResource:
		action = "Action"
	case at == ofOrganization && effect == "Allow":
		resource = "Resource"
	}
	own := "arn:aws:s3:::${aws:username}/*"
	if resource == "NotResource" {
		own = "arn:aws:s3:::own/*"
	}
	s := fmt.Sprintf(`"Effect":"%s","%s":%s,"%s":%s`, effect,
		action, m.list("s3:*", "s3:Get*", "s3:GetObject", "s3:getobject", "s3:*Object", "s3:?utObject", "iam:*", "s3:PutObject"),
		resource, m.list(own, "*", "arn:aws:s3:::*", "arn:aws:s3:::bkt/*", "arn:aws:s3:::bkt/k", "arn:aws:s3:::bk?/*", "arn:aws:s3:::bkt/*/x*y", "arn:aws:s3:::${aws:PrincipalTag/team, 'bkt'}/*"))
	switch at {
	case ofResource:
		s += `,"Principal":` + m.one(`"*"`, `{"AWS":"111122223333"}`, `{"AWS":"`+rootARN+`"}`, `{"AWS":"`+userARN+`"}`, `{"AWS":["444455556666","`+roleARN+`"]}`,
			`{"AWS":"arn:aws:sts::111122223333:federated-user/bob"}`, `{"AWS":["111122223333","`+userARN+`"]}`)
	case ofResources, ofEndpoint:
		s += `,"Principal":"*"`
	}
	if m.odds(2) {
		s += `,"Condition":{` + m.condition() + `}`
	}
	return "{" + s + "}"
}

func (m maker) condition() string {
	ifExists := m.one("", "", "IfExists")
	switch m.IntN(6) {
	case 0:
		return fmt.Sprintf(`"%s%s":{"%s":%s}`, m.one("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"), ifExists,
			m.one("aws:PrincipalTag/team", "aws:PrincipalOrgID"), m.list("a", "A", "a*", "?", "${aws:PrincipalTag/team, 'a'}", "o-1"))
	case 1:
		return fmt.Sprintf(`"%s%s":{"%s":%s}`, m.one("ForAllValues:", "ForAnyValue:"), m.one("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"), tagKeys, m.list("a", "b", "a*", "*"))
	case 2:
		return fmt.Sprintf(`"%s%s":{"aws:MultiFactorAuthAge":%s}`, m.one("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"), ifExists,
			m.list("10", "10.0", "9.5", "-1", "100"))
	case 3:
		return fmt.Sprintf(`"%s%s":{"aws:CurrentTime":%s}`, m.one("DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThan", "DateLessThanEquals", "DateGreaterThanEquals"), ifExists,
			m.list("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-06-01T00:00:00Z"))
	case 4:
		return fmt.Sprintf(`"%s%s":{"aws:SourceIp":%s}`, m.one("IpAddress", "NotIpAddress"), ifExists, m.list("10.0.0.0/8", "10.1.2.3", "192.168.0.0/16"))
	}
	return fmt.Sprintf(`"Null":{"%s":"%s"}`, m.one("aws:PrincipalTag/team", tagKeys, "aws:MultiFactorAuthAge"), m.one("true", "false"))
}
