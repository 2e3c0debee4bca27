package eks

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// The constructors below are named by what they answer; cluster may be "".

func noCluster(name string) error {
	return &types.ResourceNotFoundException{ClusterName: named(name), Message: aws.String("No cluster found for name: " + name + ".")}
}

func notFound(cluster, format string, args ...any) error {
	return &types.ResourceNotFoundException{ClusterName: named(cluster), Message: text(format, args)}
}

func invalidParameter(cluster, format string, args ...any) error {
	return &types.InvalidParameterException{ClusterName: named(cluster), Message: text(format, args)}
}

func invalidAddon(cluster, addon, format string, args ...any) error {
	return &types.InvalidParameterException{ClusterName: named(cluster), AddonName: named(addon), Message: text(format, args)}
}

func noAddon(cluster, addon string) error {
	return &types.ResourceNotFoundException{ClusterName: named(cluster), AddonName: named(addon), Message: aws.String("No addon: " + addon + " found in cluster: " + cluster)}
}

func invalidRequest(cluster, format string, args ...any) error {
	return &types.InvalidRequestException{ClusterName: named(cluster), Message: text(format, args)}
}

func inUse(cluster, format string, args ...any) error {
	return &types.ResourceInUseException{ClusterName: named(cluster), Message: text(format, args)}
}

func limitExceeded(cluster, format string, args ...any) error {
	return &types.ResourceLimitExceededException{ClusterName: named(cluster), Message: text(format, args)}
}

// unsupported refuses, by its name, a parameter that EKS has and eksact has not.
func unsupported(cluster, parameter, why string) error {
	return invalidParameter(cluster, "%s is not supported by eksact: %s", parameter, why)
}

func named(cluster string) *string {
	if cluster == "" {
		return nil
	}
	return &cluster
}

func optional(s string) *string { return named(s) }

func text(format string, args []any) *string {
	return aws.String(fmt.Sprintf(format, args...))
}
