// Package iam is AWS Identity and Access Management: users, groups, roles, access
// keys, managed policies with their versions, inline policies, permissions
// boundaries, instance profiles, service-linked roles, OIDC identity providers,
// virtual MFA devices, tags and the account's alias; what is told about all of them (authorization details, credential
// reports, last uses) and about calls that nobody made (simulations); and the
// authorizer that every call to any service passes.
//
// # State
//
// Records live in the store. A record holds what belongs to it alone, and the
// links to others on both sides, so that each operation is one transaction over
// the few records it touches: attaching a policy to a role counts up in the
// policy, which is why deleting it at the same time conflicts and sees it.
//
//	iam/user, iam/role, iam/group, iam/policy, iam/profile   by name in lower case: names are unique ignoring case
//	iam/oidcprovider      by URL, without https://
//	iam/mfa               by serial number in lower case
//	iam/key               by access key id
//	iam/keyuse            by access key id, or a role's unique id
//	iam/awspolicy         by ARN: how often an AWS managed policy is used
//	iam/account           the alias, and since when there is an account
//	iam/report            the credential report
//	iam/deletion          by task id: finished deletions of service-linked roles
//
// A transaction may be run again when another was faster: what it starts from is
// read or made anew each time.
//
// # Decisions
//
// An index follows the tables: per principal, by its unique id, the compiled
// policies that apply, a user's groups' among them. Authorize looks the caller up
// there and asks package engine/policy; no document is parsed during a call. An id
// that is not there is a principal that was deleted, whatever has its name now; a
// renamed one keeps its id.
//
// The front door authorizes every operation. Those that have condition keys of
// their own (iam:PolicyARN, iam:PermissionsBoundary, iam:AWSServiceName) are
// registered through guarded and creating; which have which is in operations.go.
// iam:PassRole is asked for by AddRoleToInstanceProfile, and by other services
// through CheckPass; tags at creation ask for the action that would tag, too.
//
// Trust policies are stored with the unique ids of the users and roles they
// name, and shown with their ARNs as long as these live.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
//
// A simulation asks the same evaluator, under the condition keys that it was given
// alone: simulate.go reads the call, simresult.go words the answer. Its statements
// and their places are as AWS was seen to answer them.
//
// # What differs from AWS
//
//   - Changes are in force when the call that made them returns. IAM is eventually
//     consistent. While a user or group is being renamed, its calls may be refused
//     for an instant.
//   - Other accounts don't exist: a trust policy may name one, but not its users
//     and roles.
//   - Service-linked roles are those of the services around EKS. Deleting one
//     succeeds at once, whether or not its service still has resources.
//   - AWS managed policies are those around EKS, in their default version only,
//     with ids of our own; their texts have no line breaks, which places of
//     statements show.
//   - A credential report is complete when the call that starts it returns. Last
//     uses are exact to a quarter of an hour, and GetCallerIdentity, which no policy
//     is asked about, is none.
//   - A simulation decides as calls here are decided, where AWS's simulator is
//     known to be more generous: an account named by a resource's policy still
//     needs the caller's own, trust policies count. It takes any mix of actions, and
//     any resource for an action. Callers of a resource's policy are users only.
//   - Some texts are ours, AWS's being unknown: a boundary, alias or deletion task
//     that isn't there, a role that is not service-linked, a change to a policy of
//     AWS's.
//   - An OIDC provider that is made without a thumbprint has it read only from a
//     server whose certificate this machine trusts; any other must be given one.
//   - MFA devices are virtual, and only users have them. After five wrong codes a
//     device's are refused until the next is shown.
//   - What is missing (login profiles and their password policy, SAML providers, security
//     keys, SSH keys, certificates, service last accessed details, delegation
//     requests) is not registered and is refused by name.
package iam
