// Package api is what the front door and the AWS services agree on: who is
// calling, what a service offers, and how an error that no SDK models is said.
//
// A service is a list of operations. Each takes and returns the official SDK's
// types, names the IAM action it needs and the ARNs it touches, and knows
// nothing of HTTP, signatures or encodings. The front door (package front)
// does those, in this order: route, authenticate, authorize, handle, record.
package api
