// Package controlplane is one cluster's control plane, as EKS runs it: an API
// server, a controller manager and a scheduler in a network namespace of their
// own, over a key prefix of the one etcd.
//
//	Config ──Prepare──► files below Dir: pki/, config/    (what the components read)
//	       └──Specs───► supervise.Spec ×3                 (how they are run)
//	Plane.WaitReady ──► /readyz, with what it still waits for
//	Plane.Bootstrap ──► the objects a new EKS cluster has: eks:… roles, CoreDNS
//	Plane.EnsureNodeRole ► ConfigMap aws-auth, as a node group's role joins
//
// The API server serves on a socket it inherits, 0.0.0.0:443 in the namespace,
// held open by its supervisor: whoever calls while it starts waits in the
// kernel's queue, so controllers, kubelets and kubectl never meet a refusal and
// never back off. It advertises its first private address, which therefore is
// what pods find behind the Service "kubernetes".
//
// Settings follow EKS where EKS's are known (audit policy, admission plugins,
// issuer, authorizers, component labels); each place that departs from it says
// why. The flags are in flags.go, each file the components read is a template
// below config/, each object a manifest below objects/.
package controlplane
