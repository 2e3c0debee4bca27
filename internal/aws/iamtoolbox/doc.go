// Package iamtoolbox is AWS IAM Toolbox, the API that tells why a call was refused
// (https://docs.aws.amazon.com/iam-toolbox/latest/APIReference/). It answers from
// what package iam keeps of refusals.
//
// The official Go SDK has no module for it, so the types are ours, field by field
// as the API reference has them, and so is its wire table. Only
// GetRequestAuthorizationDetails is offered: it is what its documentation and
// several SDKs agree on. It is a preview on AWS.
//
// # What differs from AWS
//
//   - The id is in the header x-amzn-authorization-id of an answer and in the call's
//     CloudTrail event, for every refusal. AWS tells it in the message, of the
//     services that take part; messages here are as they were before.
//   - What is kept is bounded and in memory: the newest refusals since the daemon
//     started. AWS keeps them for a day.
//   - The value of a context key is a list, also of one. A refusal is one evaluation:
//     of the first action and resource that was not allowed.
//   - The name under which requests are signed is taken to be iam-toolbox.
package iamtoolbox
