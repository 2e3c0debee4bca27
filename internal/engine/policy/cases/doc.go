// Package cases decides requests that are written down in files, with the
// policies of every layer and what is expected: tests of policies, run by eksact
// iam test, and this repository's own suite of what AWS documents (testdata).
//
// # A file
//
// A file is YAML or JSON. Its outermost mapping, and each item of a list of
// cases, is a case, or a group of them when it has cases itself: what a group
// says holds for the cases inside it unless they say otherwise. The example of
// this package is a file that its tests run.
//
// What a file shares, at its top alone:
//
//	policies:    name: a policy
//	principals:  name: a principal
//
// What a case says:
//
//	name       of the case; those of the groups around it stand before it
//	about      anything; it is not read
//	source     where the expectation comes from, such as a page of documentation
//	principal  who asks
//	action     what is asked for: s3:GetObject
//	resource   its ARN, or "*" for actions without a resource
//	owner      the resource's account, where its ARN doesn't say (default: the
//	           principal's); another account than the principal's is cross-account
//	context    condition keys: a string, number, boolean or a list of them; null or
//	           [] says that the key is absent. Keys are added to the group's.
//	known      why the case is known to fail; when it holds, that is a failure
//	unchecked  true: the action and the condition keys may be ones that AWS doesn't
//	           have, the keys' values of another type
//
// Else an action of a service whose actions are known here (package actions) must
// be one of them, condition keys likewise, and the values of a key have its type:
// a deny that is expected of a misspelt action would hold whatever policies say.
//
// Principal, action, resource and context may be lists: each is tried with each,
// and all must turn out as expected.
//
// The layers, of which those left out are not there:
//
//	identity        policies of the user and its groups, or of the role
//	boundary        its permissions boundary
//	session         session policies; [] allows nothing; null, as no session at all,
//	                limits nothing (but a federated user has no rights without one)
//	scp, rcp        control policies: a list of levels from the organization's root
//	                down, each a policy or a list of policies
//	resourcePolicy  of the resource; trustPolicy of a role, keyPolicy of a KMS key,
//	                which must allow in any case, and are asked by actions of sts
//	                and of kms alone
//	endpointPolicy  of the VPC endpoint that the request comes through
//
// sts actions on a role and kms actions on a key need the role's and the key's
// policy: without one they are refused.
//
// What is expected:
//
//	expect     allowed, explicitDeny, implicitDeny, or deny for either (allow and
//	           denied are other words for the first and the last)
//	layer      that decided: identity, boundary, session, scp, rcp, resource, trust
//	           or endpoint
//	reason     AWS's sentence about the refusal, or a part of it
//	policy     that decided, by its name here or its ARN
//	statement  that decided, by its Sid or its index from 0
//
// # Policies
//
// A policy is written as a mapping; as JSON in a string; as the name of a shared
// one; as the ARN of an AWS managed policy (arn:aws:iam::aws:policy/NAME); or as
// the path of a file, relative to the file of cases, which ends in .json, .yaml or
// .yml or begins with ./ or ../. {arn: …, document: a policy} is a managed policy,
// whose ARN refusals name. A mapping with an Effect is a policy of that one
// statement, in Version 2012-10-17. Policies are parsed as IAM parses those of
// their layer; what IAM refuses is an error, with IAM's text and the place in the
// file.
//
// # Principals
//
// A principal is the name of a shared one, or one of
//
//	arn:aws:iam::111122223333:user/bob, …:root
//	arn:aws:iam::111122223333:role/app                 a session of the role
//	arn:aws:sts::111122223333:assumed-role/app/i-0abc  this session
//	arn:aws:sts::111122223333:federated-user/bob       of GetFederationToken
//	arn:aws:iam::111122223333:oidc-provider/HOST       a web or SAML identity
//	accounts.google.com, cognito-identity.amazonaws.com
//	ec2.amazonaws.com                                  a service
//	anonymous
//
// or a mapping of arn (or name) with tags, id (the unique id, which trust policies
// name), and of sessions role or user (the ARN of who is behind it; a session's
// own ARN lacks the role's path).
//
// The keys that follow from a principal are set: aws:PrincipalArn,
// PrincipalAccount, PrincipalType, PrincipalTag/…, userid, username,
// PrincipalIsAWSService, PrincipalServiceName; also aws:ResourceAccount and
// aws:ViaAWSService. All others, the time among them, are those that context
// gives: so a test says the same tomorrow.
//
// # What differs from AWS
//
//   - A file knows one call at a time: actions that need others besides
//     (iam:PassRole) are cases of their own.
//   - A name or ARN stands for itself in trust policies too: AWS stores users and
//     roles there by unique id, which a principal's id can say.
//   - Service control policies are parsed as identity policies are, those of
//     resources and endpoints as resource policies: what Organizations or a service
//     refuses beyond that, and quotas of size, are not looked at.
//   - Sentences name the resource by its ARN. S3 quotes it, which a reason may do,
//     and IAM's reading actions name the entity (user bob), which it may not.
//   - JSON's pairs of escapes beyond U+FFFF (\ud83d\ude00) are not read in files of
//     cases; in files of policies they are.
package cases
