package podidentity

// Pod is what is read of a pod: what decides what becomes of it. The rest, most of it, is
// passed over.
type Pod struct {
	Metadata struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		ServiceAccountName string            `json:"serviceAccountName"`
		NodeSelector       map[string]string `json:"nodeSelector"`
		InitContainers     []Container       `json:"initContainers"`
		Containers         []Container       `json:"containers"`
		Volumes            []Named           `json:"volumes"`
	} `json:"spec"`
}

// Container is one of a pod's.
type Container struct {
	Name         string  `json:"name"`
	Env          []Named `json:"env"`
	VolumeMounts []Named `json:"volumeMounts"`
}

// Named is a variable, a mount or a volume.
type Named struct {
	Name string `json:"name"`
}

// has says whether one of the name is among them.
func has(all []Named, name string) bool {
	for _, n := range all {
		if n.Name == name {
			return true
		}
	}
	return false
}
