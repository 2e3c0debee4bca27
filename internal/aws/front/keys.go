package front

import (
	"strconv"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
)

// conditionKeys holds the global condition keys of one call. They are reused:
// an Authorizer must not keep the map.
type conditionKeys struct {
	keys   map[string][]string
	values []string // what keys' slices point into
}

var keysPool = sync.Pool{New: func() any {
	return &conditionKeys{keys: make(map[string][]string, 24), values: make([]string, 0, 32)}
}}

func (k *conditionKeys) set(key, value string) {
	if len(k.values) == cap(k.values) { // never grow: earlier slices point here
		k.keys[key] = []string{value}
		return
	}
	n := len(k.values)
	k.values = append(k.values, value)
	k.keys[key] = k.values[n : n+1 : n+1]
}

func (k *conditionKeys) free() {
	clear(k.keys)
	clear(k.values)
	k.values = k.values[:0]
	keysPool.Put(k)
}

// keysOf makes the global condition keys of a call, spelled as in the IAM User
// Guide (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
// Keys that do not apply are absent: aws:username without a user, those of
// sessions with long-term credentials.
func keysOf(c *api.Caller, region string, now time.Time) *conditionKeys {
	k := keysPool.Get().(*conditionKeys)
	if c.SourceIP.IsValid() {
		k.set("aws:SourceIp", c.SourceIP.String())
	}
	k.set("aws:SecureTransport", strconv.FormatBool(c.TLS))
	if c.UserAgent != "" {
		k.set("aws:UserAgent", c.UserAgent)
	}
	k.set("aws:RequestedRegion", region)
	k.set("aws:CurrentTime", now.UTC().Format("2006-01-02T15:04:05Z"))
	k.set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	k.set("aws:PrincipalType", string(c.Type))
	k.set("aws:ViaAWSService", "false")
	k.set("aws:PrincipalIsAWSService", "false")
	if c.Type == api.Anonymous {
		k.set("aws:userid", "anonymous")
		return k
	}
	k.set("aws:PrincipalArn", c.PrincipalARN)
	k.set("aws:PrincipalAccount", c.AccountID)
	k.set("aws:userid", c.UserID)
	if c.Type == api.User {
		k.set("aws:username", c.Name)
	}
	if s := c.Session; s != nil {
		k.set("aws:TokenIssueTime", s.IssuedAt.UTC().Format("2006-01-02T15:04:05Z"))
		k.set("aws:MultiFactorAuthPresent", strconv.FormatBool(s.MFA))
		if s.SourceIdentity != "" {
			k.set("aws:SourceIdentity", s.SourceIdentity)
		}
		for name, value := range s.Tags {
			k.set("aws:PrincipalTag/"+name, value)
		}
	}
	return k
}
