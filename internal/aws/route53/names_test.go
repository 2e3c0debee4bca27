package route53

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestNormalize(t *testing.T) {
	for name, want := range map[string]string{
		"Example.COM": "example.com.", "example.com.": "example.com.", "*.example.com": `\052.example.com.`, `\052.example.com`: `\052.example.com.`,
		"0/25.2.0.192.in-addr.arpa": `0\05725.2.0.192.in-addr.arpa.`, "_a._b": "_a._b.", `\101.b`: "a.b.",
		"": "", ".": "", "a..b": "", ".a": "", "a b": "", `a\05`: "", `a\9`: "", strings.Repeat("a", 64): "", "ä": "", `a\056b\056\056c`: "",
	} {
		if got, ok := normalize(name); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %t", name, got, ok)
		}
	}
}

// Whatever is accepted as a name is one, in one form, that resolvers read back.
func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"Example.com", `\052.a`, "a..b", "0/25.arpa.", `\101\056x`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		kept, ok := normalize(name)
		if !ok {
			return
		}
		if again, ok := normalize(kept); !ok || again != kept {
			t.Errorf("%q is kept as %q, which is kept as %q", name, kept, again)
		}
		if escaped(plain(kept)) != kept {
			t.Errorf("%q is read back as %q", kept, escaped(plain(kept)))
		}
		if _, ok := dns.IsDomainName(plain(kept)); !ok || dns.CanonicalName(plain(kept)) != plain(kept) {
			t.Errorf("%q is no canonical name", plain(kept))
		}
	})
}

// Whatever is accepted as a value is a record that can be sent.
func FuzzValue(f *testing.F) {
	for _, seed := range [][2]string{{"A", "1.2.3.4"}, {"TXT", `"a\303\251" "b"`}, {"MX", "10 a.b"}, {"CAA", `0 issue "x"`}, {"SRV", "1 2 3 x."}, {"TXT", "word;"}, {"TXT", "(0"}, {"TXT", `a\\`}, {"TXT", `"` + strings.Repeat("x", 255) + `"`}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, kind, value string) {
		if dns.StringToType[kind] == 0 || valueFault(kind, value) != "" {
			return
		}
		rr, err := record("a.example.com.", kind, 60, value)
		if err != nil {
			t.Fatalf("%s %q: %v", kind, value, err)
		}
		if _, err := dns.PackRR(rr, make([]byte, 65535), 0, nil, false); err != nil {
			t.Errorf("%s %q can't be sent: %v", kind, value, err)
		}
	})
}
