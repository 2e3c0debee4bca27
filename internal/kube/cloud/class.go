package cloud

import (
	corev1 "k8s.io/api/core/v1"
)

// classNote carries a load balancer class in copies of Services that only the
// controller sees.
const classNote = "eksact/load-balancer-class"

// showClasses changes a Service on its way into the controller's memory. Upstream's
// controller passes over every Service with a class, so a class that is served here
// moves to an annotation. What the controller writes is the difference of two
// such copies, and so knows nothing of it.
func showClasses(obj any) (any, error) {
	s, ok := obj.(*corev1.Service)
	if !ok {
		return obj, nil
	}
	class := s.Spec.LoadBalancerClass
	served := class != nil && (*class == classAuto || *class == classController)
	if _, given := s.Annotations[classNote]; !served && !given {
		return obj, nil
	}
	s = s.DeepCopy()
	delete(s.Annotations, classNote) // one that a user set means nothing
	if served {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[classNote], s.Spec.LoadBalancerClass = *class, nil
	}
	return s, nil
}

// classOf is the class of a Service as the controller sees it; "" without one.
func classOf(s *corev1.Service) string { return s.Annotations[classNote] }
