package mapping

// Mode is a cluster's authentication mode, spelled as EKS's API spells it. It says
// which sources of identities count; of any other mode, none.
type Mode string

// The modes, in the order in which a cluster can move through them.
const (
	ModeConfigMap       Mode = "CONFIG_MAP"
	ModeAPIAndConfigMap Mode = "API_AND_CONFIG_MAP"
	ModeAPI             Mode = "API"
)

// Creator says whether the cluster's creator has access without being mapped.
func (m Mode) Creator() bool { return m == ModeConfigMap }

// AccessEntries says whether access entries count.
func (m Mode) AccessEntries() bool { return m == ModeAPIAndConfigMap || m == ModeAPI }

// ConfigMap says whether aws-auth counts.
func (m Mode) ConfigMap() bool { return m == ModeConfigMap || m == ModeAPIAndConfigMap }

// AccessEntry is what an access entry makes of its principal, which the caller of
// Identify has found to be c by its unique id.
type AccessEntry struct {
	Username string // a template, as those of aws-auth
	// Groups are no templates: who names a session must not name a group by it.
	Groups []string
}

// Identify implements Identifier.
func (a AccessEntry) Identify(c Caller, name InstanceName) (Identity, error) {
	id, err := entry{username: a.Username}.render(c, name)
	id.Groups = append(id.Groups, a.Groups...)
	return id, err
}
