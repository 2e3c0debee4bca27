package cloudwatch

import (
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func invalidValue(format string, args ...any) error {
	return &types.InvalidParameterValueException{Message: aws.String(fmt.Sprintf(format, args...))}
}

func invalidCombination(format string, args ...any) error {
	return &types.InvalidParameterCombinationException{Message: aws.String(fmt.Sprintf(format, args...))}
}

func missing(parameter string) error {
	return &types.MissingRequiredParameterException{Message: aws.String("The parameter " + parameter + " is required.")}
}

// unsupported refuses, by its name, what CloudWatch has and eksact has not.
func unsupported(what string) error {
	return api.ValidationError("%s is not supported by eksact.", what)
}

func noAlarm(name string) error {
	return &types.ResourceNotFound{Message: aws.String("Unknown alarm: " + name)}
}

// page cuts a list after a token's key and at a size. The token of the next page is the
// last key of this one.
func page[T any](all []T, key func(T) string, token *string, size int) ([]T, *string, error) {
	if token != nil {
		last, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil {
			return nil, nil, &types.InvalidNextToken{Message: aws.String("The next token is invalid.")}
		}
		i := 0
		for i < len(all) && key(all[i]) != string(last) {
			i++
		}
		if i == len(all) {
			return nil, nil, &types.InvalidNextToken{Message: aws.String("The next token is invalid.")}
		}
		all = all[i+1:]
	}
	if len(all) <= size {
		return all, nil, nil
	}
	return all[:size], aws.String(base64.RawURLEncoding.EncodeToString([]byte(key(all[size-1])))), nil
}
