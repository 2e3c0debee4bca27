// Package cloud is one cluster's cloud controller: it gives each Service of type
// LoadBalancer its load balancer.
//
// What follows Services and nodes, keeps the finalizer and writes status and
// events is upstream's service controller (k8s.io/cloud-provider), the one that
// runs in AWS's own cloud controller manager, so that a Service here goes
// through the same steps with the same words. Ours is what it asks of a cloud:
// Of reads a Service, and Balancers, which the network provides, makes what was
// read.
//
// A Service is read as AWS's cloud controller reads it (a Classic Load Balancer,
// or a Network Load Balancer by annotation) or, by its class or the type external,
// as the AWS Load Balancer Controller does, which EKS Auto Mode has built in: a
// Network Load Balancer whose targets may be pods, which are followed here beside
// upstream's controller.
//
// Annotations of service.beta.kubernetes.io/aws-load-balancer-* that this package
// does not apply are refused in an event of the Service: a load balancer that
// ignored its internal or TLS annotation would be open to those it was to be
// closed to.
package cloud
