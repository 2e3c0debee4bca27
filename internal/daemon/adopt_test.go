package daemon

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc/ipam"
)

// A daemon that ended between drawing an instance's addresses and recording it
// leaves them to nobody.
func TestAddressesOfNoInstanceAreGivenBack(t *testing.T) {
	s := store.NewMemory()
	defer s.Close()
	d := &Daemon{
		ec2:       ec2.New(s, Default("", "").Place(), "us-west-2a"),
		addresses: ipam.New(s, []ipam.Range{{Name: "r", Prefix: netip.MustParsePrefix("10.0.0.0/16"), First: 4, Last: 4}}),
	}
	for _, owner := range []string{"instance/i-lost", "instance/i-lost/pods", "instance/i-here", "instance/i-here/pods", "host/cloud9"} {
		if _, err := d.addresses.Address(t.Context(), "r", owner); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.ec2.PutInstance(t.Context(), ec2.Instance{ID: "i-here", State: ec2.Running}); err != nil {
		t.Fatal(err)
	}
	if err := d.finishTerminations(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"host/cloud9", "instance/i-here", "instance/i-here/pods"}
	got := d.addresses.Owners("")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("owners %v, want %v", got, want)
	}
}

func TestWhoWaitsForTheDoorHearsWhyItStaysShut(t *testing.T) {
	d := &Daemon{open: make(chan struct{}), failed: make(chan struct{})}
	heard := make(chan error, 1)
	go func() {
		_, err := d.whenOpen(t.Context(), struct{}{})
		heard <- err
	}()
	d.failure = errors.New("no store")
	close(d.failed)
	select {
	case err := <-heard:
		if !errors.Is(err, d.failure) {
			t.Errorf("heard %v", err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("waits on")
	}
}
