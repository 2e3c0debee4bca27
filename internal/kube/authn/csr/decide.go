package csr

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	certsv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
)

// AppServing is EKS's signer for applications.
const AppServing = "beta.eks.amazonaws.com/app-serving"

// Verdict is what is to be done about a request.
type Verdict string

// The verdicts.
const (
	Leave   Verdict = "leave"   // it is done, not ours, or waits for somebody's approval
	Approve Verdict = "approve" // and then sign
	Sign    Verdict = "sign"
	Deny    Verdict = "deny" // it was pending
	Fail    Verdict = "fail" // it was approved
)

// Decision is a verdict and, of Deny and Fail, the reason (one word, as a
// condition has it) and a message for people.
type Decision struct {
	Verdict Verdict
	Reason  string
	Message string
}

// Lookup answers with the DNS names and addresses of the instance that is the
// node so named.
type Lookup func(node string) (dns []string, ips []netip.Addr, ok bool)

// refusal is a broken rule.
type refusal struct{ reason, message string }

func (r *refusal) Error() string { return r.message }

func refuse(reason, format string, args ...any) error {
	return &refusal{reason, fmt.Sprintf(format, args...)}
}

// Decide says what to do about a request, from the request and the instances
// alone.
func Decide(csr *certsv1.CertificateSigningRequest, lookup Lookup) Decision {
	if len(csr.Status.Certificate) > 0 || has(csr, certsv1.CertificateDenied) || has(csr, certsv1.CertificateFailed) {
		return Decision{Verdict: Leave}
	}
	approved := has(csr, certsv1.CertificateApproved)
	var err error
	switch csr.Spec.SignerName {
	case certsv1.KubeletServingSignerName:
		err = kubeletServing(csr, lookup)
	case AppServing:
		if !approved {
			return Decision{Verdict: Leave}
		}
		err = appServing(csr)
	default:
		return Decision{Verdict: Leave}
	}

	switch {
	case err == nil && approved:
		return Decision{Verdict: Sign}
	case err == nil:
		return Decision{Verdict: Approve, Reason: "AutoApproved", Message: "The requester is the node, and the names and addresses are its instance's own."}
	}
	d := Decision{Verdict: Deny, Reason: "InvalidRequest", Message: err.Error()}
	if r := (*refusal)(nil); errors.As(err, &r) {
		d.Reason = r.reason
	}
	if approved {
		// The one reason that upstream's signer gives, whatever the cause.
		d.Verdict, d.Reason = Fail, "SignerValidationFailure"
	}
	return d
}

// kubeletServing holds a request against the rules of the signer
// kubernetes.io/kubelet-serving, and its names against the instance's.
func kubeletServing(csr *certsv1.CertificateSigningRequest, lookup Lookup) error {
	requester := csr.Spec.Username
	node, isNode := strings.CutPrefix(requester, "system:node:")
	if !isNode || node == "" || !slices.Contains(csr.Spec.Groups, "system:nodes") {
		return refuse("RequesterNotNode", "the requester %q is not a node: a node is a system:node:NAME in the group system:nodes", requester)
	}
	x, err := parse(csr.Spec.Request)
	if err != nil {
		return err
	}
	if x.Subject.CommonName != requester {
		return refuse("SubjectMismatch", "the common name %q is not the requester, %q", x.Subject.CommonName, requester)
	}
	if !slices.Equal(x.Subject.Organization, []string{"system:nodes"}) {
		return refuse("SubjectMismatch", "the organization %q is not system:nodes alone", x.Subject.Organization)
	}
	if err := onlyUsages(csr.Spec.Usages, true); err != nil {
		return err
	}
	if len(x.EmailAddresses) > 0 || len(x.URIs) > 0 {
		return refuse("UnverifiedNames", "a kubelet has no email address and no URI")
	}
	if len(x.DNSNames)+len(x.IPAddresses) == 0 {
		return refuse("UnverifiedNames", "the request has neither a DNS name nor an IP address")
	}
	dns, ips, ok := lookup(node)
	if !ok {
		return refuse("UnknownInstance", "there is no instance that is the node %s", node)
	}
	for _, name := range x.DNSNames {
		if !slices.ContainsFunc(dns, func(own string) bool { return strings.EqualFold(own, name) }) {
			return refuse("UnverifiedNames", "the DNS name %q is not one of the instance's: %s", name, strings.Join(dns, ", "))
		}
	}
	for _, asked := range x.IPAddresses {
		ip, ok := netip.AddrFromSlice(asked)
		if !ok || !slices.ContainsFunc(ips, func(own netip.Addr) bool { return own.Unmap() == ip.Unmap() }) {
			return refuse("UnverifiedNames", "the IP address %s is not one of the instance's: %v", asked, ips)
		}
	}
	return nil
}

// appServing holds a request against EKS's rules for its own signer.
func appServing(csr *certsv1.CertificateSigningRequest) error {
	if _, err := parse(csr.Spec.Request); err != nil {
		return err
	}
	return onlyUsages(csr.Spec.Usages, false)
}

// onlyUsages wants server auth, and besides it at most digital signature (which
// a kubelet must ask for) and key encipherment.
func onlyUsages(usages []certsv1.KeyUsage, kubelet bool) error {
	for _, u := range usages {
		switch u {
		case certsv1.UsageServerAuth, certsv1.UsageDigitalSignature, certsv1.UsageKeyEncipherment:
		default:
			return refuse("InvalidUsages", "the usage %q is not allowed: only server auth, digital signature and key encipherment are", u)
		}
	}
	if !slices.Contains(usages, certsv1.UsageServerAuth) {
		return refuse("InvalidUsages", "the usage %q is missing", certsv1.UsageServerAuth)
	}
	if kubelet && !slices.Contains(usages, certsv1.UsageDigitalSignature) {
		return refuse("InvalidUsages", "the usage %q is missing", certsv1.UsageDigitalSignature)
	}
	return nil
}

// parse reads a request in PEM and checks that its sender holds the key.
func parse(request []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, refuse("InvalidRequest", "spec.request holds no PEM block of type CERTIFICATE REQUEST")
	}
	x, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, refuse("InvalidRequest", "spec.request cannot be read: %v", err)
	}
	if err := x.CheckSignature(); err != nil {
		return nil, refuse("InvalidRequest", "spec.request is not signed with its own key: %v", err)
	}
	return x, nil
}

// has reports a condition that is not false; approvals had no status once.
func has(csr *certsv1.CertificateSigningRequest, kind certsv1.RequestConditionType) bool {
	for _, c := range csr.Status.Conditions {
		if c.Type == kind && c.Status != corev1.ConditionFalse {
			return true
		}
	}
	return false
}
