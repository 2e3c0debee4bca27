package credential

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// service is a metadata service of the second version.
func service(t *testing.T, role, answer string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
			io.WriteString(w, "session")
		case r.Header.Get("X-aws-ec2-metadata-token") != "session":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/" && role != "":
			io.WriteString(w, role+"\n")
		case role != "" && r.URL.Path == "/latest/meta-data/iam/security-credentials/"+role:
			io.WriteString(w, answer)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/latest/"
}

func TestTheRolesCredentialsAreFound(t *testing.T) {
	url := service(t, "node-role", `{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t"}`)
	got, err := InstanceCredentials(t.Context(), http.DefaultClient, url)
	if err != nil || got.AccessKeyID != "ASIA" || got.SecretAccessKey != "s" || got.SessionToken != "t" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWithoutARoleThereIsNoToken(t *testing.T) {
	if _, err := InstanceCredentials(t.Context(), http.DefaultClient, service(t, "", "")); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("err %v", err)
	}
	url := service(t, "r", `{"Code":"AssumeRoleUnauthorizedAccess"}`)
	if _, err := InstanceCredentials(t.Context(), http.DefaultClient, url); err == nil || !strings.Contains(err.Error(), "AssumeRoleUnauthorizedAccess") {
		t.Errorf("err %v", err)
	}
}
