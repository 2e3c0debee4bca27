package eks

import (
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// LogTypes are the control plane's log types, in the order EKS shows them.
var LogTypes = []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}

// setLogging records the log types that a new cluster exports.
func (c *Cluster) setLogging(in *types.Logging) error {
	var err error
	c.Logging, err = loggingAfter(c.Name, nil, in)
	return err
}

// loggingAfter is what becomes of the enabled types when in is asked for: types
// it doesn't name stay as they are.
func loggingAfter(cluster string, enabled []string, in *types.Logging) ([]string, error) {
	if in == nil {
		return enabled, nil
	}
	want := map[string]bool{}
	for _, t := range enabled {
		want[t] = true
	}
	said := map[string]bool{}
	for _, setup := range in.ClusterLogging {
		on := aws.ToBool(setup.Enabled)
		for _, t := range setup.Types {
			name := string(t)
			if !slices.Contains(LogTypes, name) {
				return nil, invalidParameter(cluster, "Unknown cluster log type: %s", name)
			}
			if before, ok := said[name]; ok && before != on {
				return nil, invalidParameter(cluster, "The log type %s can't be both enabled and disabled.", name)
			}
			said[name], want[name] = on, on
		}
	}
	if len(said) == 0 && len(in.ClusterLogging) > 0 {
		return nil, invalidParameter(cluster, "A logging setup must name log types.")
	}
	return slices.DeleteFunc(slices.Clone(LogTypes), func(t string) bool { return !want[t] }), nil
}

// loggingView splits the five types as EKS answers: the enabled ones first, and
// no empty list.
func loggingView(enabled []string) *types.Logging {
	view := &types.Logging{}
	for _, on := range []bool{true, false} {
		var list []types.LogType
		for _, t := range LogTypes {
			if slices.Contains(enabled, t) == on {
				list = append(list, types.LogType(t))
			}
		}
		if list != nil {
			view.ClusterLogging = append(view.ClusterLogging, types.LogSetup{Enabled: aws.Bool(on), Types: list})
		}
	}
	return view
}

// loggingParam is the request as DescribeUpdate shows it: a JSON document.
func loggingParam(in *types.Logging) (Param, error) {
	type setup struct {
		Types   []types.LogType `json:"types"`
		Enabled bool            `json:"enabled"`
	}
	doc := struct {
		ClusterLogging []setup `json:"clusterLogging"`
	}{}
	for _, s := range in.ClusterLogging {
		doc.ClusterLogging = append(doc.ClusterLogging, setup{s.Types, aws.ToBool(s.Enabled)})
	}
	data, err := json.Marshal(doc)
	return Param{string(types.UpdateParamTypeClusterLogging), string(data)}, err
}
