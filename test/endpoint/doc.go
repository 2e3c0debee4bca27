// Package endpoint tests, on a real cluster with the AWS CLI and kubectl, who reaches
// a cluster's endpoint in each mode of access, its add-ons, and what names lead to, the
// cluster's, AWS's and Route 53's.
package endpoint
