// Package nodeconfig reads the user data of instances that are nodes, as nodeadm does on
// Amazon Linux 2023: one NodeConfig document, or several in a MIME message, which are
// merged. (https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/)
//
// What a node here doesn't do is refused by the name of its field: a setting that is
// read and forgotten would make a node that is another than the one asked for.
package nodeconfig
