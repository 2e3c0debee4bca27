package autoscaling

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func invalid(format string, args ...any) error { return api.ValidationError(format, args...) }

func noGroup(name string) error {
	return invalid("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", name)
}

func noInstance(id string) error {
	return invalid("Instance Id not found - No managed instance found for instance ID: %s", id)
}

// unsupported refuses by its name what isn't there.
func unsupported(what string) error { return invalid("%s is not supported by eksact", what) }

func inUse(format string, args ...any) error {
	return &types.ResourceInUseFault{Message: aws.String(fmt.Sprintf(format, args...))}
}
