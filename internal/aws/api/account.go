package api

// Place is where this account in a box says it is.
type Place struct {
	Partition string // "aws"
	AccountID string // twelve digits
	Region    string // "us-west-2"
}
