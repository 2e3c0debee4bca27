package preflight

import (
	"net"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/hint"
)

func TestATakenPortIsNamedWithTheWayOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	err = First([]Check{port(address)})
	if err == nil || !strings.Contains(err.Error(), address) || !strings.Contains(strings.Join(hint.Lines(err), "\n"), "--listen") {
		t.Errorf("err %v, hints %q", err, hint.Lines(err))
	}
	l.Close()
	if c := port(address); c.Err != nil {
		t.Errorf("a free port: %v", c.Err)
	}
}

func TestAMissingProgramComesWithItsPackage(t *testing.T) {
	err := First([]Check{program("no-such-program", "some-package")})
	if got := hint.Lines(err); len(got) == 0 || got[0] != "apt-get install -y some-package" {
		t.Errorf("err %v, hints %q", err, got)
	}
}

func TestDiskIsMeasuredWhereTheStateWillBe(t *testing.T) {
	if c := disk("/proc/not/there/yet"); c.Err == nil || !strings.Contains(c.Err.Error(), "/proc has 0 MiB") {
		t.Errorf("err %v", c.Err)
	}
}

func TestFirstIsNilWhenAllPass(t *testing.T) {
	if err := First([]Check{{Name: "a"}, {Name: "b"}}); err != nil {
		t.Error(err)
	}
}
