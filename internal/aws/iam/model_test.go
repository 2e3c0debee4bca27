package iam_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Every operation of IAM's API is either served or refused by name: none is
// answered by accident.
func TestEveryOperationOfTheModel(t *testing.T) {
	a := open(t)
	served := a.iam.Service().Operations
	unchecked := func(o *awsiam.Options) { // the client would refuse an empty input itself
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			_, _ = s.Initialize.Remove("OperationInputValidation") // not all have it
			return nil
		})
	}
	client := reflect.ValueOf(awsiam.NewFromConfig(a.root, unchecked))
	ctx := reflect.ValueOf(t.Context())
	refusals := 0
	for n := range client.NumMethod() {
		name, method := client.Type().Method(n).Name, client.Method(n)
		if name == "Options" {
			continue
		}
		err, _ := method.Call([]reflect.Value{ctx, reflect.New(method.Type().In(1).Elem())})[1].Interface().(error)
		var e smithy.APIError
		unknown := errors.As(err, &e) && e.ErrorCode() == "InvalidAction"
		if _, ok := served[name]; ok {
			if unknown {
				t.Errorf("%s is served, but answered: %v", name, err)
			}
			continue
		}
		refusals++
		if !unknown || !strings.Contains(e.ErrorMessage(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d operations are served, %d are refused by name", len(served), refusals)
	if len(served)+refusals < 150 {
		t.Errorf("the client has %d operations: this test looks in the wrong place", len(served)+refusals)
	}
}
