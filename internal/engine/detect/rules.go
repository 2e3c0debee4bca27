package detect

import "slices"

// Rules decide on events by their structure, where a query is too wide: lists of any
// length, and what a patch does.

// bindsAdmin says that subjects are written into a binding of cluster-admin, or
// system:masters into whatever binding. A patch doesn't name the role, the answer does.
func bindsAdmin(e *auditEvent) bool {
	subjects := e.written("subjects")
	if len(subjects) == 0 {
		return false
	}
	role := text(e.ResponseObject, "roleRef", "name")
	if role == "" {
		role = text(e.RequestObject, "roleRef", "name")
	}
	return role == "cluster-admin" || slices.ContainsFunc(subjects, func(s any) bool { return text(s, "name") == "system:masters" })
}

// bindsEverybody says that a subject is written that stands for those without credentials.
func bindsEverybody(e *auditEvent) bool {
	return slices.ContainsFunc(e.written("subjects"), func(s any) bool {
		name := text(s, "name")
		return name == "system:anonymous" || name == "system:unauthenticated"
	})
}

// ruled says that a role's rule is written whose list of a name has one of the words.
func ruled(e *auditEvent, lists []string, words ...string) bool {
	return slices.ContainsFunc(e.written("rules"), func(rule any) bool {
		return slices.ContainsFunc(lists, func(list string) bool {
			return slices.ContainsFunc(items(rule, list), func(v any) bool {
				word, _ := v.(string)
				return slices.Contains(words, word)
			})
		})
	})
}

func hasWildcard(e *auditEvent) bool { return ruled(e, []string{"verbs", "resources"}, "*") }

func mayEscalate(e *auditEvent) bool {
	return ruled(e, []string{"verbs"}, "escalate", "bind", "impersonate")
}

func isPrivileged(e *auditEvent) bool {
	return slices.ContainsFunc([]string{"containers", "initContainers"}, func(list string) bool {
		return slices.ContainsFunc(items(e.RequestObject, "spec", list), func(c any) bool { return at(c, "securityContext", "privileged") == true })
	})
}

func sharesNamespaces(e *auditEvent) bool {
	return slices.ContainsFunc([]string{"hostPID", "hostIPC", "hostNetwork"}, func(name string) bool { return at(e.RequestObject, "spec", name) == true })
}

func mountsHost(e *auditEvent) bool {
	return slices.ContainsFunc(items(e.RequestObject, "spec", "volumes"), func(v any) bool { return at(v, "hostPath") != nil })
}
