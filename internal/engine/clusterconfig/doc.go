// Package clusterconfig reads eksctl's ClusterConfig (eksctl.io/v1alpha5), as far as it can
// be made here (https://eksctl.io/usage/schema/). Each field that is read has an effect; any
// other is refused by its name and its place in the file, so that no part of a file is
// ignored silently.
package clusterconfig
