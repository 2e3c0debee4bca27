package hosts

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyTheBlockIsChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	const own = "127.0.0.1 localhost\n# mine"
	if err := os.WriteFile(path, []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	a, b := netip.MustParseAddr("198.18.1.1"), netip.MustParseAddr("198.18.1.2")
	steps := []struct {
		entries []Entry
		want    string
	}{
		{[]Entry{{"b.example", b}, {"a.example", a}, {"a.example", a}}, own + "\n" + begin + "\n198.18.1.1 a.example\n198.18.1.2 b.example\n" + end + "\n"},
		{[]Entry{{"a.example", b}}, own + "\n" + begin + "\n198.18.1.2 a.example\n" + end + "\n"},
		{nil, own + "\n"},
		{nil, own + "\n"},
	}
	for _, s := range steps {
		if err := Set(path, s.entries); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != s.want {
			t.Errorf("%v: got\n%s\nwant\n%s", s.entries, got, s.want)
		}
	}
}

func TestLinesAfterTheBlockStay(t *testing.T) {
	text := "1.1.1.1 a\n" + begin + "\n2.2.2.2 b\n" + end + "\n3.3.3.3 c\n"
	if got := replace(text, ""); got != "1.1.1.1 a\n3.3.3.3 c\n" {
		t.Errorf("got %q", got)
	}
	broken := "1.1.1.1 a\n" + begin + "\n3.3.3.3 c\n"
	if got := replace(broken, ""); got != "1.1.1.1 a\n3.3.3.3 c\n" {
		t.Errorf("a block without end: got %q", got)
	}
}

func TestRemovingFromNoFileIsNoError(t *testing.T) {
	if err := Remove(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
}

// What is mounted over the file elsewhere must stay: it is one file for ever.
func TestTheFileStaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	const own = "127.0.0.1 localhost\n"
	if err := os.WriteFile(path, []byte(own), 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Set(path, []Entry{{"a.example", netip.MustParseAddr("198.18.1.1")}}); err != nil {
		t.Fatal(err)
	}
	if text, err := Without(path); text != own || err != nil {
		t.Errorf("beside the block: %q, %v", text, err)
	}
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("it was replaced: %v %v, %v", before.Mode(), after.Mode(), err)
	}
	if text, _ := os.ReadFile(path); string(text) != own {
		t.Errorf("it holds %q", text)
	}
	if text, err := Without(filepath.Join(t.TempDir(), "none")); text != "" || err != nil {
		t.Errorf("without a file: %q, %v", text, err)
	}
}
