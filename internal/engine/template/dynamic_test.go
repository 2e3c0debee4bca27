package template_test

import (
	"errors"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
)

func TestDynamicReferences(t *testing.T) {
	const arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:s-AbCdEf"
	for _, tc := range []struct {
		text string
		want template.Dynamic
		bad  bool
	}{
		{text: "{{resolve:ssm:/a/b}}", want: template.Dynamic{Service: "ssm", Name: "/a/b"}},
		{text: "{{resolve:ssm:a:3}}", want: template.Dynamic{Service: "ssm", Name: "a", Version: "3"}},
		{text: "{{resolve:ssm:arn:aws:ssm:us-west-2:111122223333:parameter/a:3}}", want: template.Dynamic{Service: "ssm", Name: "arn:aws:ssm:us-west-2:111122223333:parameter/a", Version: "3"}},
		{text: "{{resolve:ssm-secure:a:10}}", want: template.Dynamic{Service: "ssm-secure", Name: "a", Version: "10"}},
		{text: "{{resolve:secretsmanager:s}}", want: template.Dynamic{Service: "secretsmanager", Name: "s"}},
		{text: "{{resolve:secretsmanager:s:SecretString:k:AWSPREVIOUS}}", want: template.Dynamic{Service: "secretsmanager", Name: "s", Key: "k", Stage: "AWSPREVIOUS"}},
		{text: "{{resolve:secretsmanager:" + arn + ":SecretString:k::v}}", want: template.Dynamic{Service: "secretsmanager", Name: arn, Key: "k", Version: "v"}},
		{text: "{{resolve:ssm:a:x}}", bad: true},
		{text: "{{resolve:secretsmanager:s:SecretBinary}}", bad: true},
		{text: "{{resolve:secretsmanager:s:SecretString:k:a:b}}", bad: true},
	} {
		list, err := template.DynamicReferences(map[string]any{"A": []any{"x" + tc.text + "y" + tc.text}})
		if tc.bad {
			if err == nil {
				t.Errorf("%s was accepted", tc.text)
			}
			continue
		}
		tc.want.Text = tc.text
		if err != nil || len(list) != 1 || list[0] != tc.want {
			t.Errorf("%s: %+v, %v", tc.text, list, err)
		}
	}
}

func TestResolveDynamic(t *testing.T) {
	in := map[string]any{"A": "a{{resolve:ssm:x}}b{{resolve:ssm:y}}", "B": []any{true, "{{resolve:ssm:x}}"}}
	out, err := template.ResolveDynamic(in, func(d template.Dynamic) (string, error) { return "{{resolve:ssm:" + d.Name + d.Name + "}}", nil })
	if err != nil {
		t.Fatal(err)
	}
	equal(t, out, `{"A":"a{{resolve:ssm:xx}}b{{resolve:ssm:yy}}","B":[true,"{{resolve:ssm:xx}}"]}`)
	equal(t, in["A"], `"a{{resolve:ssm:x}}b{{resolve:ssm:y}}"`)
	if _, err := template.ResolveDynamic(in, func(template.Dynamic) (string, error) { return "", errors.New("no") }); err == nil {
		t.Error("resolved what could not be")
	}
}
