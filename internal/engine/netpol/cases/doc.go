// Package cases reads files of expectations about a network's policies, and holds
// manifests to them: tests of policies, run by eksact netpol test.
//
// A file is YAML or JSON:
//
//	manifests: [../k8s]         # files and folders, from the file's own folder
//	namespace: shop             # of names that don't say theirs; default: default
//	podCIDR: 10.0.0.0/16        # where pods are that have no address
//	cases:
//	- name: the shop reaches its database
//	  from: deployment/web
//	  to: statefulset/db
//	  port: 5432
//	  expect: allowed
//	  policy: db-clients
//	- name: nobody else does
//	  from: [deployment/admin, other/pod/x, 198.51.100.7]
//	  to: statefulset/db
//	  port: [5432, 53/UDP, metrics]
//	  expect: denied
//
// A case says
//
//	from, to  ends: [NAMESPACE/][KIND/]NAME of a pod or a workload, an address, and as
//	          to a service (svc/NAME); one or a list
//	port      number or name of the destination's, with /UDP or /SCTP if it isn't TCP;
//	          one or a list
//	expect    allowed or denied
//	policy    the one that decides: of what is allowed its rule accepts in one of the
//	          directions; of what is denied it has the rule that denies, or isolates
//	          the pod. NAME, NAMESPACE/NAME, or as explain names it
//	name      what the case is called; else by its line
//	known     why the case is known to fail; when it holds, that is a failure
//
// Lists are tried each with each, and every flow that comes of it must turn out as
// expected: to a service, to each of its pods. What depends on an address that isn't
// known holds for neither.
//
// Whoever sends the flows' packets has a case judged by what became of them. Then a
// workload is its pods that run, and from outside the cluster nothing can be sent.
package cases
