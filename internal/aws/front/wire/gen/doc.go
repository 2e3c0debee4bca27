// Command gen writes the wire tables: one text file per AWS service that says
// how each operation and shape looks on the wire.
//
// Its sources, in order of trust:
//
//   - AWS's public API models (Apache-2.0) in botocore's form, service-2.json:
//     members, wire names, locations, constraints, errors. Install them with
//     `pip install botocore==1.43.11`; the folder is botocore/data.
//     github.com/aws/aws-sdk-go v1.55.8 carries older ones of the same form.
//   - the Go SDK (aws-sdk-go-v2) of go.mod, read as source: its structs name
//     the Go fields, and what is newer than the models is completed from its
//     schemas package (EKS, CloudWatch Logs) or from the wire names in its
//     generated serializers (IAM, EC2, …).
//
// Run it in package wire's folder:
//
//	go run ./gen -models "$(python3 -c 'import botocore; print(botocore.__path__[0])')/data"
//
// A new service is one more line in services. The result depends on nothing
// but the two sources, so a second run changes nothing.
package main
