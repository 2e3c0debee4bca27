package clusterconfig

// check refuses what no cluster could be: what the parts of a file say of each other.
func (c *Config) check() (faults []error) {
	fault := func(path, format string, args ...any) { faults = append(faults, c.Fault(path, format, args...)) }
	for _, field := range []struct{ path, want string }{{"apiVersion", apiVersion}, {"kind", kind}} {
		if _, given := c.places[field.path]; !given {
			fault("", "%s is required: %s", field.path, field.want)
		}
	}
	if c.Name == "" {
		fault("metadata", "metadata.name is required")
	}
	if c.Mode == "CONFIG_MAP" && len(c.AccessEntries) > 0 {
		fault("accessConfig.accessEntries", "with authenticationMode CONFIG_MAP no entry counts; API_AND_CONFIG_MAP and API have them")
	}
	for i, e := range c.AccessEntries {
		if e.Principal == "" {
			fault(e.Path, "principalARN is required")
		}
		for _, before := range c.AccessEntries[:i] {
			if e.Principal != "" && before.Principal == e.Principal {
				fault(e.Path+".principalARN", "%s has an entry at %s", e.Principal, c.At(before.Path))
			}
		}
	}
	c.checkNodegroups(fault)
	c.checkIdentities(fault)
	for i, a := range c.Addons {
		if a.Name == "" {
			fault(a.Path, "name is required")
		}
		for _, before := range c.Addons[:i] {
			if a.Name != "" && before.Name == a.Name {
				fault(a.Path+".name", "%s is named at %s", a.Name, c.At(before.Path))
			}
		}
	}
	return faults
}

func (c *Config) checkNodegroups(fault func(path, format string, args ...any)) {
	for i, n := range c.Nodegroups {
		if n.Name == "" {
			fault(n.Path, "name is required")
		}
		for _, before := range c.Nodegroups[:i] {
			if n.Name != "" && before.Name == n.Name {
				fault(n.Path+".name", "node groups need names of their own, and %q is the one's at %s", n.Name, c.At(before.Path))
			}
		}
	}
}

func (c *Config) checkIdentities(fault func(path, format string, args ...any)) {
	for _, a := range c.Accounts {
		if a.Name == "" {
			fault(a.Path, "metadata.name is required")
		}
		own := len(a.Policies) > 0 || a.Inline != ""
		if own == (a.RoleARN != "") {
			fault(a.Path, "it needs either policies (attachPolicyARNs, attachPolicy) or attachRoleARN")
		}
		if !c.OIDC {
			fault(a.Path, "iam.withOIDC must be true for roles of service accounts")
		}
	}
	agent := false
	for _, a := range c.Addons {
		agent = agent || a.Name == podIdentityAgent
	}
	for _, a := range c.Associations {
		if a.Namespace == "" || a.Account == "" {
			fault(a.Path, "namespace and serviceAccountName are required")
		}
		if (a.RoleARN == "") == (len(a.Policies) == 0 && a.Inline == "") {
			fault(a.Path, "it needs either policies (permissionPolicyARNs, permissionPolicy) or roleARN")
		}
		if !agent {
			fault(a.Path, "without the add-on %s its pods would get no role: name it in addons", podIdentityAgent)
		}
	}
}

// podIdentityAgent is the add-on that gives pods the roles of associations.
const podIdentityAgent = "eks-pod-identity-agent"
