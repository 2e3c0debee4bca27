// Package ec2 shows the account's network and its instances: the read calls of
// Amazon EC2 for VPCs, subnets, security groups, availability zones and
// instances, with EC2's filters, pages and error texts.
//
// Security groups, their rules and prefix lists are made and changed through it;
// when such a call returns, packets meet the new rules (Service.Enforce). All else
// is not created through this API; the daemon puts the records of what it has
// built (PutVPC, PutSubnet, PutInstance, PutNetworkInterface) and removes them with
// it. So a cluster's nodes are what `aws ec2 describe-instances` lists. Every
// other EC2 operation is unknown to the front door and refused there.
//
// Filters follow https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html:
// all filters must match, any value of one does, * and ? are wildcards. A filter
// that isn't there for a kind of resource is refused by name, never ignored.
package ec2
