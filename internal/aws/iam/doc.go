// Package iam is AWS Identity and Access Management: users, groups, roles, access
// keys, managed and inline policies, permissions boundaries and instance
// profiles; and the authorizer that every call to any service passes.
//
// # State
//
// Records live in the store. A record holds what belongs to it alone, and the
// links to others on both sides, so that each operation is one transaction over
// the few records it touches: attaching a policy to a role counts up in the
// policy, which is why deleting it at the same time conflicts and sees it.
//
//	iam/user, iam/role, iam/group, iam/policy, iam/profile   by name in lower case: names are unique ignoring case
//	iam/key        by access key id
//	iam/awspolicy  by ARN: how often an AWS managed policy is attached
//
// # Decisions
//
// An index follows the tables: per principal, by its unique id, the compiled
// policies that apply. Authorize looks the caller up there and asks package
// engine/policy; no document is parsed during a call. An id that is not there is
// a principal that was deleted, whatever has its name now.
//
// Trust policies are stored with the unique ids of the users and roles they
// name, and shown with their ARNs as long as these live.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
//
// # What differs from AWS
//
//   - Changes are in force when the call that made them returns. IAM is eventually
//     consistent.
//   - Other accounts don't exist: a trust policy may name one, but not its users
//     and roles.
//   - Condition keys that describe a resource (aws:ResourceTag) are known for IAM's
//     own resources only.
//   - What is missing (groups' operations, MFA devices, login profiles, providers,
//     SSH keys, reports, simulation) is not registered and is refused by name.
package iam
