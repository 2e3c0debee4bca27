package cases_test

import (
	"fmt"

	"github.com/eksact/eksact/internal/engine/policy/cases"
)

// A bucket's readers: who may read, from where, and what the organization forbids.
const readers = `
policies:
  full: {Effect: Allow, Action: "*", Resource: "*"}
  eu-only:
    arn: arn:aws:organizations::999999999999:policy/o-1/service_control_policy/p-1
    document:
      Version: 2012-10-17
      Statement:
      - Sid: Elsewhere
        Effect: Deny
        NotAction: [iam:*, sts:*]
        Resource: "*"
        Condition: {StringNotEquals: {aws:RequestedRegion: eu-west-1}}
principals:
  bob: {arn: "arn:aws:iam::111122223333:user/bob", tags: {team: blue}}

principal: bob
action: s3:GetObject
resource: arn:aws:s3:::data/blue/report
context: {aws:RequestedRegion: eu-west-1, aws:SourceIp: 10.0.0.7}
identity:
  Effect: Allow
  Action: s3:GetObject
  Resource: arn:aws:s3:::data/${aws:PrincipalTag/team}/*
  Condition: {IpAddress: {aws:SourceIp: 10.0.0.0/8}}
scp: [full, [full, eu-only]]

cases:
- {name: his team's, expect: allowed, layer: identity}
- {name: another team's, resource: "arn:aws:s3:::data/red/report", expect: implicitDeny}
- {name: from outside, context: {aws:SourceIp: 198.51.100.7}, expect: implicitDeny, reason: because no identity-based policy allows}
- {name: elsewhere, context: {aws:RequestedRegion: us-east-1}, expect: explicitDeny, layer: scp, policy: eu-only, statement: Elsewhere}
- name: changes nothing
  action: [s3:PutObject, s3:DeleteObject]
  expect: deny
- name: by the bucket's policy
  identity: []
  resourcePolicy: {Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/bob"}, Action: "s3:Get*", Resource: "arn:aws:s3:::data/*"}
  cases:
  - {name: bob, expect: allowed, layer: resource}
  - {name: anybody, principal: anonymous, expect: implicitDeny}
`

func Example() {
	list, err := cases.Parse("readers.yaml", readers, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range list {
		r := c.Run()
		fmt.Println(r.Holds(), c.Name, r.Outcome)
	}
	// Output:
	// true his team's allowed
	// true another team's implicitDeny
	// true from outside implicitDeny
	// true elsewhere explicitDeny
	// true changes nothing [s3:PutObject] implicitDeny
	// true changes nothing [s3:DeleteObject] implicitDeny
	// true by the bucket's policy / bob allowed
	// true by the bucket's policy / anybody implicitDeny
}
