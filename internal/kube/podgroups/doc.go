// Package podgroups gives pods security groups of their own: those that a
// SecurityGroupPolicy of their namespace selects, by their labels or by those of
// their service account (vpcresources.k8s.aws/v1beta1, as on EKS:
// https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html).
//
// Such a pod gets a branch network interface at its address. Its groups are enforced
// before the pod has a network: the node's CNI plugin asks (Admit) before it makes
// one, and is refused while they are not. Which groups a pod has is settled then: a
// policy that is changed later is for pods that start later, as on EKS.
package podgroups
