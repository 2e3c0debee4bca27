// Package vpc tests, on a real cluster of two nodes with the real AWS CLIs, that packets
// and instances follow the EC2 API: security groups, of pods too, and the rules of load
// balancers; flow logs; instance metadata; VPC endpoints; route tables and subnets;
// instances that are rebooted, stopped, started and terminated; a second VPC, and a daemon
// killed beside it. See package lab.
package vpc
