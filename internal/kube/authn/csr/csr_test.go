package csr

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	certsv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

const nodeName = "ip-10-0-64-10.us-west-2.compute.internal"

var now = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)

// fleet is two instances.
type fleet struct{}

func (fleet) Lookup(node string) ([]string, []netip.Addr, bool) {
	switch node {
	case nodeName:
		return []string{nodeName, "ip-10-0-64-10.ec2.internal"}, []netip.Addr{netip.MustParseAddr("10.0.64.10")}, true
	case "ip-10-0-96-7.us-west-2.compute.internal":
		return []string{"ip-10-0-96-7.us-west-2.compute.internal"}, []netip.Addr{netip.MustParseAddr("10.0.96.7")}, true
	}
	return nil, nil, false
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func encode(t testing.TB, x x509.CertificateRequest, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x, k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// kubelet is what the node's kubelet asks for.
func kubelet() x509.CertificateRequest {
	return x509.CertificateRequest{
		Subject:     pkix.Name{CommonName: "system:node:" + nodeName, Organization: []string{"system:nodes"}},
		DNSNames:    []string{nodeName},
		IPAddresses: []net.IP{net.IPv4(10, 0, 64, 10)},
	}
}

func request(t testing.TB, x x509.CertificateRequest) *certsv1.CertificateSigningRequest {
	t.Helper()
	return &certsv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "csr-abcde"},
		Spec: certsv1.CertificateSigningRequestSpec{
			Request:    encode(t, x, newKey(t)),
			SignerName: certsv1.KubeletServingSignerName,
			Username:   "system:node:" + nodeName,
			Groups:     []string{"system:bootstrappers", "system:nodes", "system:authenticated"},
			Usages:     []certsv1.KeyUsage{certsv1.UsageDigitalSignature, certsv1.UsageServerAuth},
		},
	}
}

func condition(kind certsv1.RequestConditionType) func(*certsv1.CertificateSigningRequest) {
	return func(r *certsv1.CertificateSigningRequest) {
		r.Status.Conditions = append(r.Status.Conditions, certsv1.CertificateSigningRequestCondition{Type: kind, Status: corev1.ConditionTrue})
	}
}

var approved = condition(certsv1.CertificateApproved)

func TestDecide(t *testing.T) {
	type edit = func(*certsv1.CertificateSigningRequest)
	signer := func(name string) edit { return func(r *certsv1.CertificateSigningRequest) { r.Spec.SignerName = name } }
	usages := func(u ...certsv1.KeyUsage) edit {
		return func(r *certsv1.CertificateSigningRequest) { r.Spec.Usages = u }
	}
	evil, err := url.Parse("spiffe://x")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		x       func(*x509.CertificateRequest)
		edits   []edit
		verdict Verdict
		reason  string
		message string // a part of it
	}{
		{name: "a kubelet for itself", verdict: Approve, reason: "AutoApproved"},
		{name: "approved, to be signed", edits: []edit{approved}, verdict: Sign},
		{name: "key encipherment too", edits: []edit{usages(certsv1.UsageKeyEncipherment, certsv1.UsageServerAuth, certsv1.UsageDigitalSignature)}, verdict: Approve, reason: "AutoApproved"},
		{name: "names in another case", x: func(x *x509.CertificateRequest) { x.DNSNames = []string{strings.ToUpper(nodeName)} }, verdict: Approve, reason: "AutoApproved"},
		{name: "its address alone", x: func(x *x509.CertificateRequest) { x.DNSNames = nil }, verdict: Approve, reason: "AutoApproved"},

		{name: "denied", edits: []edit{condition(certsv1.CertificateDenied)}, verdict: Leave},
		{name: "denied and approved", edits: []edit{condition(certsv1.CertificateDenied), approved}, verdict: Leave},
		{name: "failed", edits: []edit{approved, condition(certsv1.CertificateFailed)}, verdict: Leave},
		{name: "issued", edits: []edit{approved, func(r *certsv1.CertificateSigningRequest) { r.Status.Certificate = []byte("x") }}, verdict: Leave},

		{name: "another node's name", x: func(x *x509.CertificateRequest) {
			x.DNSNames = append(x.DNSNames, "ip-10-0-96-7.us-west-2.compute.internal")
		}, verdict: Deny, reason: "UnverifiedNames", message: `the DNS name "ip-10-0-96-7.us-west-2.compute.internal" is not one of the instance's`},
		{name: "another node's address", x: func(x *x509.CertificateRequest) { x.IPAddresses = []net.IP{net.IPv4(10, 0, 96, 7)} }, verdict: Deny, reason: "UnverifiedNames", message: "the IP address 10.0.96.7 is not one of the instance's"},
		{name: "the API server's name", x: func(x *x509.CertificateRequest) { x.DNSNames = []string{"kubernetes.default.svc"} }, verdict: Deny, reason: "UnverifiedNames"},
		{name: "a wildcard", x: func(x *x509.CertificateRequest) { x.DNSNames = []string{"*.us-west-2.compute.internal"} }, verdict: Deny, reason: "UnverifiedNames"},
		{name: "loopback", x: func(x *x509.CertificateRequest) { x.IPAddresses = append(x.IPAddresses, net.IPv6loopback) }, verdict: Deny, reason: "UnverifiedNames"},
		{name: "no names", x: func(x *x509.CertificateRequest) { x.DNSNames, x.IPAddresses = nil, nil }, verdict: Deny, reason: "UnverifiedNames", message: "neither a DNS name nor an IP address"},
		{name: "an email address", x: func(x *x509.CertificateRequest) { x.EmailAddresses = []string{"a@b"} }, verdict: Deny, reason: "UnverifiedNames"},
		{name: "a URI", x: func(x *x509.CertificateRequest) { x.URIs = []*url.URL{evil} }, verdict: Deny, reason: "UnverifiedNames"},
		{name: "another node's common name", x: func(x *x509.CertificateRequest) {
			x.Subject.CommonName = "system:node:ip-10-0-96-7.us-west-2.compute.internal"
		}, verdict: Deny, reason: "SubjectMismatch", message: "is not the requester"},
		{name: "a group more", x: func(x *x509.CertificateRequest) { x.Subject.Organization = []string{"system:nodes", "system:masters"} }, verdict: Deny, reason: "SubjectMismatch", message: "is not system:nodes alone"},
		{name: "no group", x: func(x *x509.CertificateRequest) { x.Subject.Organization = nil }, verdict: Deny, reason: "SubjectMismatch"},
		{name: "client auth", edits: []edit{usages(certsv1.UsageDigitalSignature, certsv1.UsageServerAuth, certsv1.UsageClientAuth)}, verdict: Deny, reason: "InvalidUsages", message: `the usage "client auth" is not allowed`},
		{name: "no server auth", edits: []edit{usages(certsv1.UsageDigitalSignature)}, verdict: Deny, reason: "InvalidUsages", message: `"server auth" is missing`},
		{name: "no digital signature", edits: []edit{usages(certsv1.UsageServerAuth)}, verdict: Deny, reason: "InvalidUsages"},
		{name: "any usage", edits: []edit{usages(certsv1.UsageAny)}, verdict: Deny, reason: "InvalidUsages"},
		{
			name: "a service account", verdict: Deny, reason: "RequesterNotNode",
			edits: []edit{func(r *certsv1.CertificateSigningRequest) { r.Spec.Username = "system:serviceaccount:default:x" }},
		},
		{
			name: "a node's name without its group", verdict: Deny, reason: "RequesterNotNode",
			edits: []edit{func(r *certsv1.CertificateSigningRequest) { r.Spec.Groups = []string{"system:masters"} }},
		},
		{
			name: "an admin for the node", verdict: Deny, reason: "RequesterNotNode", message: `the requester "kubernetes-admin" is not a node`,
			edits: []edit{func(r *certsv1.CertificateSigningRequest) {
				r.Spec.Username, r.Spec.Groups = "kubernetes-admin", []string{"system:masters"}
			}},
		},
		{
			name: "a node that is no instance", verdict: Deny, reason: "UnknownInstance", message: "no instance that is the node ip-10-0-64-99",
			x:     func(x *x509.CertificateRequest) { x.Subject.CommonName = "system:node:ip-10-0-64-99" },
			edits: []edit{func(r *certsv1.CertificateSigningRequest) { r.Spec.Username = "system:node:ip-10-0-64-99" }},
		},
		{name: "approved by hand, another's name", x: func(x *x509.CertificateRequest) { x.DNSNames = []string{"kubernetes.default.svc"} }, edits: []edit{approved}, verdict: Fail, reason: "SignerValidationFailure", message: "kubernetes.default.svc"},
		{
			name: "no PEM", verdict: Deny, reason: "InvalidRequest",
			edits: []edit{func(r *certsv1.CertificateSigningRequest) { r.Spec.Request = []byte("x") }},
		},
		{
			name: "a request signed with another key", verdict: Deny, reason: "InvalidRequest", message: "not signed with its own key",
			edits: []edit{func(r *certsv1.CertificateSigningRequest) {
				block, _ := pem.Decode(r.Spec.Request)
				block.Bytes[len(block.Bytes)-1] ^= 1
				r.Spec.Request = pem.EncodeToMemory(block)
			}},
		},

		{name: "an application's waits for approval", edits: []edit{signer(AppServing)}, verdict: Leave},
		{name: "an application's, approved", edits: []edit{signer(AppServing), approved}, verdict: Sign},
		{name: "an application's for any name", x: func(x *x509.CertificateRequest) { x.DNSNames = []string{"myserver.default.svc"} }, edits: []edit{signer(AppServing), approved}, verdict: Sign},
		{name: "an application's without digital signature", edits: []edit{signer(AppServing), approved, usages(certsv1.UsageServerAuth)}, verdict: Sign},
		{name: "an application's for clients", edits: []edit{signer(AppServing), approved, usages(certsv1.UsageServerAuth, certsv1.UsageClientAuth)}, verdict: Fail, reason: "SignerValidationFailure", message: "client auth"},
		{name: "an application's for nothing said", edits: []edit{signer(AppServing), approved, usages(certsv1.UsageDigitalSignature)}, verdict: Fail, reason: "SignerValidationFailure", message: `"server auth" is missing`},

		{name: "a client's", edits: []edit{signer(certsv1.KubeAPIServerClientSignerName)}, verdict: Leave},
		{name: "a client's, approved", edits: []edit{signer(certsv1.KubeAPIServerClientSignerName), approved}, verdict: Leave},
		{name: "a kubelet's client, approved", edits: []edit{signer(certsv1.KubeAPIServerClientKubeletSignerName), approved}, verdict: Leave},
		{name: "an unknown signer's, approved", edits: []edit{signer("example.com/x"), approved}, verdict: Leave},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := kubelet()
			if tt.x != nil {
				tt.x(&x)
			}
			r := request(t, x)
			for _, e := range tt.edits {
				e(r)
			}
			before := r.DeepCopy()
			d := Decide(r, fleet{}.Lookup)
			if d.Verdict != tt.verdict || d.Reason != tt.reason || !strings.Contains(d.Message, tt.message) {
				t.Errorf("decision = %+v, want %s %s %q", d, tt.verdict, tt.reason, tt.message)
			}
			if diff := cmp.Diff(before, r); diff != "" {
				t.Errorf("Decide changed the request: %s", diff)
			}
		})
	}
}

func newAuthority(t testing.TB) Authority {
	t.Helper()
	k := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return Authority{cert, k}
}

func certificate(t testing.TB, text []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 {
		t.Fatalf("not one PEM block: %s", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestIssue(t *testing.T) {
	ca := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	verify := func(cert *x509.Certificate, name string, usage x509.ExtKeyUsage) error {
		_, err := cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
		return err
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	value, err := asn1.Marshal(struct{ CA bool }{true})
	if err != nil {
		t.Fatal(err)
	}
	basicConstraints := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: value}

	for _, tt := range []struct {
		name     string
		signer   string
		x        func(*x509.CertificateRequest)
		key      crypto.Signer
		servedAs string
	}{
		{name: "kubelet", signer: certsv1.KubeletServingSignerName, servedAs: nodeName, key: newKey(t)},
		{name: "kubelet with an RSA key", signer: certsv1.KubeletServingSignerName, servedAs: nodeName, key: rsaKey},
		{name: "kubelet with more in its subject", signer: certsv1.KubeletServingSignerName, servedAs: nodeName, key: newKey(t), x: func(x *x509.CertificateRequest) { x.Subject.OrganizationalUnit = []string{"system:masters"} }},
		{name: "application", signer: AppServing, servedAs: "myserver.default.svc", key: newKey(t), x: func(x *x509.CertificateRequest) {
			x.Subject, x.DNSNames = pkix.Name{CommonName: "myserver.default.svc", OrganizationalUnit: []string{"team"}}, []string{"myserver.default.svc"}
		}},
		{name: "application in admin's name, as a CA", signer: AppServing, servedAs: "x", key: newKey(t), x: func(x *x509.CertificateRequest) {
			x.Subject, x.DNSNames = pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"system:masters"}}, []string{"x"}
			x.ExtraExtensions = []pkix.Extension{basicConstraints}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := kubelet()
			if tt.x != nil {
				tt.x(&x)
			}
			r := request(t, x)
			r.Spec.SignerName, r.Spec.Request = tt.signer, encode(t, x, tt.key)
			r.Spec.Usages = append(r.Spec.Usages, certsv1.UsageKeyEncipherment)
			text, err := ca.issue(r, now)
			if err != nil {
				t.Fatal(err)
			}
			cert := certificate(t, text)
			if err := verify(cert, tt.servedAs, x509.ExtKeyUsageServerAuth); err != nil {
				t.Errorf("as a server: %v", err)
			}
			// What would be a way in for whoever may approve.
			if err := verify(cert, "", x509.ExtKeyUsageClientAuth); err == nil {
				t.Error("it is a client certificate too")
			}
			if cert.IsCA || cert.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment {
				t.Errorf("CA %t, usage %b", cert.IsCA, cert.KeyUsage)
			}
			if !cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(tt.key.Public()) {
				t.Error("another key")
			}
			if cert.Subject.CommonName != x.Subject.CommonName || !slices.Equal(cert.Subject.Organization, x.Subject.Organization) {
				t.Errorf("subject = %s", cert.Subject)
			}
			if kept := len(cert.Subject.OrganizationalUnit) > 0; kept != (tt.name == "application") {
				t.Errorf("subject = %s", cert.Subject)
			}
		})
	}

	expired := ca
	expired.Certificate.NotAfter = now
	if _, err := expired.issue(request(t, kubelet()), now); err == nil {
		t.Error("a CA that has ended signs")
	}
}

func TestValidity(t *testing.T) {
	seconds := func(d time.Duration) *int32 { s := int32(d / time.Second); return &s }
	for _, tt := range []struct {
		asked *int32
		to    time.Time
	}{
		{nil, now.Add(365*24*time.Hour - 5*time.Minute)},
		{seconds(10 * 365 * 24 * time.Hour), now.Add(365*24*time.Hour - 5*time.Minute)},
		{seconds(24 * time.Hour), now.Add(24*time.Hour - 5*time.Minute)},
		{seconds(time.Hour), now.Add(time.Hour)},
		{seconds(time.Second), now.Add(10 * time.Minute)},
		{seconds(-time.Hour), now.Add(10 * time.Minute)},
	} {
		if from, to := validity(tt.asked, now); !from.Equal(now.Add(-5*time.Minute)) || !to.Equal(tt.to) {
			t.Errorf("from %s to %s, want to %s", from, to, tt.to)
		}
	}
}

// The whole way, against an API server of client-go's making.
func TestController(t *testing.T) {
	defer goleak.VerifyNone(t)
	ca := newAuthority(t)
	early := request(t, kubelet())
	early.Name = "before-the-controller"
	client := fake.NewClientset(early)
	var conflicts atomic.Int32
	client.PrependReactor("update", "certificatesigningrequests", func(a k8stesting.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() == "status" && conflicts.Add(1) == 1 {
			return true, nil, errors.New("the object has been modified") // once; the controller must try again
		}
		return false, nil, nil
	})
	requests := client.CertificatesV1().CertificateSigningRequests()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	controller := &Controller{
		Requests: requests, Instances: fleet{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return now },
		Authority: func() (Authority, error) { return ca, nil },
	}
	go func() { done <- controller.Run(ctx) }()

	// until waits for a request to be as ok wants it.
	until := func(name, what string, ok func(*certsv1.CertificateSigningRequest) bool) *certsv1.CertificateSigningRequest {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			r, err := requests.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if ok(r) {
				return r
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is not %s: %+v", name, what, r.Status)
			}
		}
	}
	issued := func(r *certsv1.CertificateSigningRequest) bool { return len(r.Status.Certificate) > 0 }

	r := until("before-the-controller", "issued", issued)
	if len(r.Status.Conditions) != 1 || r.Status.Conditions[0].Type != certsv1.CertificateApproved || certificate(t, r.Status.Certificate).Subject.CommonName != "system:node:"+nodeName {
		t.Errorf("status = %+v", r.Status)
	}
	if conflicts.Load() < 2 {
		t.Error("the update that failed was not tried again")
	}
	for deadline := time.Now().Add(time.Minute); !watching(client); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no watch")
		}
	}

	create := func(name string, edit func(*certsv1.CertificateSigningRequest), x x509.CertificateRequest) {
		t.Helper()
		r := request(t, x)
		r.Name = name
		edit(r)
		if _, err := requests.Create(ctx, r, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	foreign := kubelet()
	foreign.DNSNames = []string{"kubernetes.default.svc"}
	create("foreign", func(*certsv1.CertificateSigningRequest) {}, foreign)
	r = until("foreign", "denied", func(r *certsv1.CertificateSigningRequest) bool { return has(r, certsv1.CertificateDenied) })
	if c := r.Status.Conditions[0]; c.Reason != "UnverifiedNames" || !strings.Contains(c.Message, "kubernetes.default.svc") || c.Status != corev1.ConditionTrue {
		t.Errorf("condition = %+v", c)
	}

	create("foreign-approved", approved, foreign)
	until("foreign-approved", "failed", func(r *certsv1.CertificateSigningRequest) bool { return has(r, certsv1.CertificateFailed) })

	asApp := func(r *certsv1.CertificateSigningRequest) { r.Spec.SignerName = AppServing }
	create("app", asApp, foreign)
	asClient := func(r *certsv1.CertificateSigningRequest) {
		r.Spec.SignerName = certsv1.KubeAPIServerClientSignerName
		approved(r)
	}
	create("client", asClient, foreign)
	create("last", func(*certsv1.CertificateSigningRequest) {}, kubelet())
	until("last", "issued", issued) // what came before it was seen as well
	for _, name := range []string{"app", "client"} {
		if r = until(name, "there", func(*certsv1.CertificateSigningRequest) bool { return true }); issued(r) || has(r, certsv1.CertificateDenied) || has(r, certsv1.CertificateFailed) {
			t.Errorf("%s = %+v", name, r.Status)
		}
	}
	r = until("app", "there", func(*certsv1.CertificateSigningRequest) bool { return true })
	approved(r)
	if _, err := requests.UpdateApproval(ctx, "app", r, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until("app", "issued", issued)

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := (&Controller{}).Run(t.Context()); err == nil {
		t.Error("a controller without anything runs")
	}
}

func watching(c *fake.Clientset) bool {
	for _, a := range c.Actions() {
		if a.GetVerb() == "watch" {
			return true
		}
	}
	return false
}

// Whatever a request holds, Decide answers, and approves nothing it cannot read.
func FuzzDecide(f *testing.F) {
	f.Add(encode(f, kubelet(), newKey(f)))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &certsv1.CertificateSigningRequest{Spec: certsv1.CertificateSigningRequestSpec{
			Request: data, SignerName: certsv1.KubeletServingSignerName, Username: "system:node:" + nodeName, Groups: []string{"system:nodes"},
			Usages: []certsv1.KeyUsage{certsv1.UsageDigitalSignature, certsv1.UsageServerAuth},
		}}
		if d := Decide(r, fleet{}.Lookup); d.Verdict == Approve {
			if _, err := parse(data); err != nil {
				t.Fatalf("approved: %v", err)
			}
		} else if d.Verdict != Deny {
			t.Fatalf("verdict %s", d.Verdict)
		}
	})
}
