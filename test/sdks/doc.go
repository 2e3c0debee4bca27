// Package sdks has one program in three languages, each on its AWS SDK and nothing else:
// what an application in a pod is. Its arguments are BUCKET ROUNDS SECONDS. In each
// round, with a pause between them, it asks STS who it is and S3 for the buckets, and
// puts an object. It prints a line of JSON (Said) a round. Credentials are found where
// the SDK looks by itself; it tries once.
//
//	go/       AWS SDK for Go v2, built when it is asked for
//	python/   boto3, of whichever Python runs it
//	js/       AWS SDK for JavaScript v3, bundled with npm's versions of package-lock.json
package sdks
