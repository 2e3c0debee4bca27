package mapping

import (
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/aws-iam-authenticator/pkg/arn"
)

// ErrNotMapped is an Identifier's answer about a principal it does not know.
var ErrNotMapped = errors.New("identity is not mapped")

// Caller is an authenticated AWS principal as aws-iam-authenticator sees it.
type Caller struct {
	// ARN is what GetCallerIdentity shows.
	ARN string
	// CanonicalARN is the ARN of the IAM entity behind it, without a role's path.
	CanonicalARN string
	AccountID    string // twelve digits
	// UserID is the principal's unique id without the session's name: AIDA…,
	// AROA…, or the account id of root. Of a federated user it is the whole
	// ACCOUNT:NAME.
	UserID string
	// SessionName is a role session's name: an instance id on EC2; "" of others.
	SessionName string
	AccessKeyID string
}

// NewCaller derives a Caller from an answer of GetCallerIdentity (ARN, account,
// user id) and the access key that signed the call.
func NewCaller(callerARN, accountID, userID, accessKeyID string) (Caller, error) {
	kind, canonical, err := arn.Canonicalize(callerARN)
	if err != nil {
		return Caller{}, err
	}
	c := Caller{ARN: callerARN, CanonicalARN: canonical, AccountID: accountID, UserID: userID, AccessKeyID: accessKeyID}
	switch kind {
	case arn.FEDERATED_USER, arn.USER, arn.ROOT:
		return c, nil
	}
	id, session, ok := strings.Cut(userID, ":")
	if !ok || strings.Contains(session, ":") {
		return Caller{}, fmt.Errorf("malformed UserID %q", userID)
	}
	c.UserID, c.SessionName = id, session
	return c, nil
}

// Identity is who a caller is to Kubernetes.
type Identity struct {
	Username string
	Groups   []string // not nil
}

// InstanceName answers with the private DNS name of an EC2 instance
// ("i-0123456789abcdef0" → "ip-10-0-64-10.us-west-2.compute.internal").
type InstanceName func(instanceID string) (string, error)

// Identifier maps callers. It answers ErrNotMapped about those it does not
// know, so that another may be asked; any other error refuses the caller.
type Identifier interface {
	Identify(c Caller, name InstanceName) (Identity, error)
}

// Creator is the ARN of the IAM principal that created the cluster. The
// comparison is by canonical ARN, as on EKS: one that is deleted and made again
// under the same name is the creator again.
type Creator string

// NewCreator takes a user's, role's (with or without its path) or root's ARN,
// or that of a session of a role.
func NewCreator(principalARN string) (Creator, error) {
	_, canonical, err := arn.Canonicalize(principalARN)
	if err != nil {
		return "", err
	}
	if canonical, err = arn.StripPath(canonical); err != nil {
		return "", err
	}
	return Creator(canonical), nil
}

// Identify implements Identifier.
func (creator Creator) Identify(c Caller, _ InstanceName) (Identity, error) {
	if creator == "" || !strings.EqualFold(string(creator), c.CanonicalARN) {
		return Identity{}, ErrNotMapped
	}
	return Identity{Username: "kubernetes-admin", Groups: []string{"system:masters"}}, nil
}
