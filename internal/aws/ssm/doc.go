// Package ssm is AWS Systems Manager's Parameter Store: parameters with versions,
// labels and tags, and the public ones that tell which images EKS's nodes are made of.
//
// A parameter and its versions are records of two tables, changed together. Public
// parameters are no records: they follow from the images that EC2 shows, so that an id
// found here is one that DescribeImages knows.
//
// # What differs from Parameter Store
//
//   - There is no KMS, so that SecureString and key ids are refused by name, as are
//     parameter policies, shared parameters and the data type aws:ssm:integration.
//   - A value of the type aws:ec2:image is checked before the call returns.
//   - Of Systems Manager's other parts there is nothing.
package ssm
