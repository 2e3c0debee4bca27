package podidentity

import (
	"encoding/csv"
	"strconv"
	"strings"
)

const domain = "eks.amazonaws.com/"

// Token lifetimes in seconds: the default, the least of the jittered default of Pod
// Identity, and the shortest that Kubernetes makes.
const (
	defaultLife  = 86400
	jitteredLife = 79200
	shortestLife = 600
)

// Account is what a service account's annotations ask for.
type Account struct {
	RoleARN     string // "" without
	Audience    string
	RegionalSTS bool
	Expiration  int64 // seconds
}

// ReadAccount reads a service account's annotations. A value that can't be read
// counts as absent.
func ReadAccount(annotations map[string]string) Account {
	a := Account{RoleARN: annotations[domain+"role-arn"], Audience: "sts.amazonaws.com", RegionalSTS: true, Expiration: defaultLife}
	if audience, ok := annotations[domain+"audience"]; ok {
		a.Audience = audience
	}
	if regional, err := strconv.ParseBool(annotations[domain+"sts-regional-endpoints"]); err == nil {
		a.RegionalSTS = regional
	}
	a.Expiration = expiration(annotations, a.Expiration)
	return a
}

// expiration is the token lifetime in annotations, or otherwise.
func expiration(annotations map[string]string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(annotations[domain+"token-expiration"], 10, 64); err == nil {
		return max(n, shortestLife)
	}
	return otherwise
}

// skipped are the containers that a pod's annotations except.
func skipped(annotations map[string]string) map[string]bool {
	text, ok := annotations[domain+"skip-containers"]
	if !ok {
		return nil
	}
	names := map[string]bool{}
	list, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return names
	}
	for _, name := range list {
		names[name] = true
	}
	return names
}
