// Package endpoint tests, on a real cluster with the AWS CLI and kubectl, who reaches
// a cluster's endpoint in each mode of access, and its add-ons.
package endpoint
