package ssm

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Image is one of those that EKS publishes for nodes.
type Image struct {
	ID, Name string
	Version  string // of Kubernetes: "1.37"
	Arch     string // x86_64 or arm64
	Release  string // "1.37.2-20260801"
	Created  time.Time
}

// public are AWS's own parameters: which image is recommended for a version, and what it
// is called.
// https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html
func (s *Service) public() map[string]Version {
	all := map[string]Version{}
	if s.Images == nil {
		return all
	}
	for _, i := range s.Images() {
		put := func(path, value string) {
			all[path] = Version{
				Number: 1, Type: string(types.ParameterTypeString), Value: value, DataType: simpleDataType,
				Tier: string(types.ParameterTierStandard), Modified: i.Created,
			}
		}
		base := publicPath + "eks/optimized-ami/" + i.Version + "/amazon-linux-2023/" + i.Arch + "/standard/"
		whole, _ := json.Marshal(struct {
			Schema  string `json:"schema_version"`
			ID      string `json:"image_id"`
			Name    string `json:"image_name"`
			Release string `json:"release_version"`
		}{"2", i.ID, i.Name, i.Release}) // of strings
		for _, release := range []string{"recommended", i.Name} {
			put(base+release, string(whole))
			put(base+release+"/image_id", i.ID)
			put(base+release+"/image_name", i.Name)
			put(base+release+"/release_version", i.Release)
		}
	}
	return all
}
