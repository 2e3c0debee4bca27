package iam

// testHelp is the form of a file of cases, whole: package policy/cases describes it
// for those who have its source.
const testHelp = `Decide the cases of each file, and compare with what they expect. For instance:

  principal: arn:aws:iam::111122223333:user/bob
  identity: policies/bob.json
  cases:
  - {name: reads, action: s3:GetObject, resource: "arn:aws:s3:::data/x", expect: allowed}
  - {name: deletes nothing, action: s3:DeleteObject, resource: "arn:aws:s3:::data/x", expect: deny}

Neither a daemon nor root is needed. It ends with 0 when all cases hold, 1 at the
first that does not, 3 when a file has an error: then none is run.

A file is YAML or JSON. Its outermost mapping is a group: what it says holds for its
cases unless they say otherwise. A case may be a group too, with cases of its own.

Who asks for what:
  principal  an ARN of a user, role, session, provider or root; a service
             (ec2.amazonaws.com); a provider (accounts.google.com); anonymous; a name
             under principals; or a mapping of arn, id, tags, and of sessions role or
             user, the ARN of who is behind it
  action     such as s3:GetObject
  resource   an ARN, or "*" for actions without one
  owner      account of the resource, where its ARN doesn't say
  context    condition keys, each a value or a list; null says that it is absent
Principal, action, resource and context may be lists: each is tried with each.

By which policies (layers left out are not there):
  identity        of the user and its groups, or of the role: one or a list
  boundary        permissions boundary
  session         session policies: one or a list; [] allows nothing
  scp, rcp        control policies: a list of levels from the root down to the account,
                  each a policy or a list
  resourcePolicy  of the resource; or trustPolicy of a role, keyPolicy of a KMS key
  endpointPolicy  of the VPC endpoint

A policy is a mapping (a statement alone will do), JSON text, a path that ends in
.json, .yaml or .yml or begins with ./ or ../, the ARN of an AWS managed policy,
{arn: ARN, document: POLICY} for another managed one, or a name under policies.

What is expected:
  expect     allowed, explicitDeny, implicitDeny, or deny for either refusal
  layer      that decided: identity, boundary, session, scp, rcp, resource, trust or
             endpoint
  reason     AWS's sentence about the refusal, or a part of it
  policy     that decided, by name or ARN
  statement  that decided, by Sid, or index from 0

And besides:
  name, about, source   of the case; what else is to be known; where it is from
  known      why the case is known to fail; when it holds, that is a failure
  unchecked  true: action and condition keys may be ones that AWS doesn't have. Else
             these are errors, for a deny of a misspelt action always holds

At the top of the file alone, what cases share by name:
  policies:
    read: {Effect: Allow, Action: "s3:Get*", Resource: "*"}
  principals:
    bob: {arn: "arn:aws:iam::111122223333:user/bob", tags: {team: blue}}`
