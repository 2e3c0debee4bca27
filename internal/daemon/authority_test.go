package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestAClientWithTheBundleTrustsAWSNamesAndNoOthers(t *testing.T) {
	c := Default(t.TempDir(), t.TempDir())
	a, err := openAuthority(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openAuthority(c) // the same one
	if err != nil || string(again.pem()) != string(a.pem()) {
		t.Fatalf("opened again: %v", err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", a.tlsConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = conn.(*tls.Conn).Handshake(); conn.Close() }()
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	for name, trusted := range map[string]bool{
		"sts.us-west-2.amazonaws.com": true, "my-bucket.s3.us-west-2.amazonaws.com": true, "127.0.0.1": true, "localhost": true,
		"amazonaws.com.evil.example": false, "example.com": false,
	} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: name, RootCAs: roots})
		if (err == nil) != trusted {
			t.Errorf("%s: trusted %v, error %v", name, trusted, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}
