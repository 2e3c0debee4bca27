// Package spec knows the resource types that stacks can have: properties with their
// types, which of them must be given, which changes replace a resource, attributes,
// tags, what Ref gives, and how a physical name is made where the template gives
// none.
//
// The data is data/spec.txt, taken by gen from a pinned version of npm's
// @aws-cdk/aws-service-spec (Apache-2.0, data/LICENSE), in which CDK's authors
// collect CloudFormation's registry schemas and documentation. It is text, so that a
// change of version can be read as a diff; fields are separated by tabs:
//
//	T  type  primary identifier  style:name of the tag property
//	P  property  flags  kind     of the type, or of the last D
//	A  attribute  kind
//	D  number of a definition    which the type's kinds name
//
// Flags: r must be given, y a change replaces, m a change may replace. Kinds: s
// string, i integer, n number, b boolean, j JSON, t tag, [k list, {k map, (k|k)
// either, a number a definition.
//
// What Ref gives and how names are made is in no published data: refs.go and
// names.go are tables of our own.
//
// The package is pure: it reads nothing but its own embedded text.
package spec

//go:generate go run ./gen/main.go data
