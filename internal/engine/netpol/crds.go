package netpol

import _ "embed"

//go:embed crds/policy.networking.k8s.io.yaml
var upstreamCRD []byte

//go:embed crds/networking.k8s.aws.yaml
var awsCRD []byte

// CRDs are the definitions of upstream's and AWS's ClusterNetworkPolicy, YAML that
// kubectl applies. They refuse what FromClusterNetworkPolicy would.
func CRDs() [][]byte { return [][]byte{upstreamCRD, awsCRD} }
