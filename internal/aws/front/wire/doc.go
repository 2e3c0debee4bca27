// Package wire turns the HTTP requests of AWS clients into the official Go
// SDK's input structs, and output structs and errors back into the bytes AWS
// sends, for every protocol AWS speaks: query, EC2 query, REST-JSON, JSON 1.0
// and 1.1, REST-XML and RPC v2 CBOR (https://smithy.io/2.0/aws/protocols/).
//
// # A call
//
//	codec, _ := wire.New()                       // once
//	call, err := codec.Route(r, body, "iam")     // which service, which operation
//	in := new(iam.CreateRoleInput)
//	err = call.Decode(in)                        // bytes to struct
//	err = call.Validate(in)                      // the model's constraints, AWS's texts
//	call.Encode(w, out, requestID)               // struct to bytes
//	call.Fail(w, err, requestID)                 // or an error, in the call's own protocol
//
// Route always returns a call, even beside an error, so that the error can be
// said in the protocol the client speaks. Every error returned is one that
// AWS documents, as an *api.Error.
//
// # Tables and plans
//
// What the wire looks like comes from one text table per service (folder
// tables, written by package gen; table.go describes the form). A table costs
// nothing until its service is called first; then its lines are indexed, and
// parsed one operation at a time.
//
// A plan (plan.go) joins a shape of the table with a Go type: which member is
// which field, under which name, decoded how. Plans are compiled once per
// operation and protocol and shared by all calls, so a call costs neither
// name look-ups by reflection nor parsing of tags.
//
// The codec knows nothing of particular operations: what it does not find in
// its table it refuses. The exception is S3, whose rules no model tells (s3.go):
// buckets named by the host, operations told apart by what they need, streams.
package wire
