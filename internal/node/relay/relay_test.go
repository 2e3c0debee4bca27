package relay

import (
	"io"
	"net"
	"path/filepath"
	"testing"
)

func TestAConnectionReachesTheFirstEndpointThatAnswers(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	go func() {
		c, err := far.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		text, _ := io.ReadAll(c) // until the near side has said all
		_, _ = c.Write(append([]byte("heard "), text...))
	}()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go Serve(l, Options{Endpoints: []string{"http://" + dead.Addr().String(), "http://" + far.Addr().String()}})

	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "hello")
	c.(*net.UnixConn).CloseWrite()
	if got, _ := io.ReadAll(c); string(got) != "heard hello" {
		t.Errorf("got %q", got)
	}
}

func TestAnEndpointThatIsNoURLIsRefused(t *testing.T) {
	for _, bad := range []string{"", "localhost:2379", "ftp://a:1", "http://a"} {
		if _, err := newRelay(Options{Endpoints: []string{bad}}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
