package route53

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

func noZone(id string) error {
	return &types.NoSuchHostedZone{Message: aws.String("No hosted zone found with ID: " + id)}
}

func invalidInput(format string, args ...any) error {
	return &types.InvalidInput{Message: aws.String(fmt.Sprintf(format, args...))}
}

// unsupported refuses, by its name, a parameter that Route 53 has and eksact has not.
func unsupported(parameter, why string) error {
	return invalidInput("%s is not supported by eksact: %s", parameter, why)
}

// invalidBatch lists what is wrong with a batch of changes.
func invalidBatch(faults ...string) error {
	text := "[" + strings.Join(faults, ", ") + "]"
	return &types.InvalidChangeBatch{Message: &text}
}
