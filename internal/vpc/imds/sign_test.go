package imds

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func newSigner(t *testing.T) *Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "identity documents"}, NotBefore: launched.AddDate(-1, 0, 0), NotAfter: launched.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{key, cert}
}

// The signatures are checked as AWS's documentation checks its own: with openssl,
// and the certificate in a file.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-rsa2048.html
func TestSignatures(t *testing.T) {
	s, _ := service(nil)
	signer := newSigner(t)
	s.signer = func() (*Signer, error) { return signer, nil }
	tok := token(t, s, node)
	get := func(name string) string {
		r := call(s, node, "GET", "/latest/dynamic/instance-identity/"+name, tokenHeader, tok)
		if r.StatusCode != 200 {
			t.Fatalf("%s: %s", name, r.Status)
		}
		return body(r)
	}
	if got := get(""); got != "document\npkcs7\nrsa2048\nsignature" {
		t.Errorf("listed: %q", got)
	}
	document := get("document")
	sum := sha256.Sum256([]byte(document))
	plain, err := base64.StdEncoding.DecodeString(get("signature"))
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(&signer.Key.PublicKey, crypto.SHA256, sum[:], plain); err != nil {
		t.Errorf("signature: %v", err)
	}

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert := file("certificate", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.Certificate.Raw})))
	for _, name := range []string{"pkcs7", "rsa2048"} {
		signed := "-----BEGIN PKCS7-----\n" + get(name) + "\n-----END PKCS7-----\n"
		verify := func(content string) (string, error) {
			out, err := exec.Command(openssl, "smime", "-verify", "-in", file(name, signed), "-inform", "PEM",
				"-content", file("document", content), "-certfile", cert, "-noverify").CombinedOutput()
			return string(out), err
		}
		if out, err := verify(document); err != nil || !strings.Contains(out, "Verification successful") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if out, err := verify(strings.Replace(document, "m5.large", "m5.metal", 1)); err == nil && strings.Contains(out, "m5.metal") {
			t.Errorf("%s: another document passes\n%s", name, out)
		}
	}
}
