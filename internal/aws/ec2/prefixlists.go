package ec2

import (
	"context"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// PrefixList is a named list of blocks that rules refer to.
type PrefixList struct {
	ID         string // "pl-…"
	Name       string
	Owner      string // account id, or "AWS"
	Family     string // "IPv4", "IPv6"
	MaxEntries int32  // 0 of AWS's own
	Version    int64
	State      types.PrefixListState
	// Versions are the entries of each version, the current one included.
	Versions map[int64][]ListEntry
	Tags     map[string]string
}

// ListEntry is a block of a prefix list.
type ListEntry struct {
	CIDR        netip.Prefix
	Description string
}

// Entries are the blocks of the current version.
func (l PrefixList) Entries() []ListEntry { return l.Versions[l.Version] }

// Limits of prefix lists.
// https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-prefix-lists
const (
	maxLists        = 100
	maxListEntries  = 1000
	maxListVersions = 1000
	maxListChange   = 100 // entries of one call
)

const ownerAWS = "AWS"

// PutPrefixList creates or replaces a list, as it is given.
func (s *Service) PutPrefixList(ctx context.Context, l PrefixList) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error { s.lists.In(tx).Put(l.ID, l); return nil })
}

// PutAWSPrefixList makes or changes a list of AWS's own: "com.amazonaws.us-west-2.s3".
func (s *Service) PutAWSPrefixList(ctx context.Context, id, name string, blocks []netip.Prefix) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		var entries []ListEntry
		for _, b := range blocks {
			entries = append(entries, ListEntry{CIDR: b})
		}
		if old, ok := s.lists.In(tx).Get(id); ok && slices.Equal(old.Entries(), entries) {
			return nil
		}
		s.lists.In(tx).Put(id, PrefixList{
			ID: id, Name: name, Owner: ownerAWS, Family: "IPv4", Version: 1, State: types.PrefixListStateCreateComplete,
			Versions: map[int64][]ListEntry{1: entries},
		})
		return nil
	})
}

// PrefixLists returns all prefix lists, by id.
func (s *Service) PrefixLists() []PrefixList { return values(s.lists.List("")) }

func (s *Service) knownList(tx *store.Tx, id string) (PrefixList, error) {
	if !strings.HasPrefix(id, listKind.prefix) {
		return PrefixList{}, malformedID(listKind, id)
	}
	l, ok := s.lists.In(tx).Get(id)
	if !ok {
		return PrefixList{}, notThere(listKind, id)
	}
	return l, nil
}

// ownList is a list that the account may change.
func (s *Service) ownList(tx *store.Tx, id *string) (PrefixList, error) {
	if aws.ToString(id) == "" {
		return PrefixList{}, absent("PrefixListId")
	}
	l, err := s.knownList(tx, *id)
	if err == nil && l.Owner == ownerAWS {
		err = api.Errorf(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation.")
	}
	return l, err
}

// checkVersion refuses a change of another version than the current one.
func (l PrefixList) checkVersion(current *int64) error {
	if current != nil && *current != l.Version {
		return api.Errorf(http.StatusBadRequest, "PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
	}
	return nil
}

// next makes a version of the list with these entries.
func (l *PrefixList) next(entries []ListEntry, state types.PrefixListState) error {
	if len(entries) > int(l.MaxEntries) {
		return invalidList("You can't have more than %d entries in the prefix list", l.MaxEntries)
	}
	slices.SortFunc(entries, func(a, b ListEntry) int {
		return a.CIDR.Addr().Compare(b.CIDR.Addr())*1000 + a.CIDR.Bits() - b.CIDR.Bits()
	})
	l.Versions = maps.Clone(l.Versions)
	l.Version++
	l.Versions[l.Version] = entries
	delete(l.Versions, l.Version-maxListVersions)
	l.State = state
	return nil
}

func invalidList(format string, args ...any) error {
	return api.Errorf(http.StatusBadRequest, "InvalidPrefixListModification", format, args...)
}

// merged are the entries after a change. An entry that is there and is added gets
// the new description.
func (l PrefixList) merged(add []types.AddPrefixListEntry, remove []types.RemovePrefixListEntry) ([]ListEntry, error) {
	if len(add) > maxListChange || len(remove) > maxListChange {
		return nil, invalid("A request may add up to %d and remove up to %d entries.", maxListChange, maxListChange)
	}
	entries := slices.Clone(l.Entries())
	at := func(p netip.Prefix) int {
		return slices.IndexFunc(entries, func(e ListEntry) bool { return e.CIDR == p })
	}
	for _, r := range remove {
		p, err := l.block(r.Cidr)
		if err != nil {
			return nil, err
		}
		i := at(p)
		if i < 0 {
			return nil, invalidList("The prefix list has no entry for %s", p)
		}
		entries = slices.Delete(entries, i, i+1)
	}
	seen := map[netip.Prefix]bool{}
	for _, a := range add {
		p, err := l.block(a.Cidr)
		if err != nil {
			return nil, err
		}
		if seen[p] {
			return nil, invalid("Duplicate CIDR %s specified.", p)
		}
		seen[p] = true
		e := ListEntry{CIDR: p, Description: aws.ToString(a.Description)}
		if len(e.Description) > maxGroupText {
			return nil, invalidText("Description", e.Description)
		}
		if i := at(p); i >= 0 {
			entries[i] = e
		} else {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// block reads a block of the list's family.
func (l PrefixList) block(text *string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(aws.ToString(text))
	if err != nil || p.Addr().Is4() != (l.Family == "IPv4") {
		return p, invalid("The CIDR block '%s' is invalid for the address family %s.", aws.ToString(text), l.Family)
	}
	return p.Masked(), nil
}

func (s *Service) listView(l PrefixList) *types.ManagedPrefixList {
	view := &types.ManagedPrefixList{
		PrefixListId: aws.String(l.ID), PrefixListName: aws.String(l.Name), AddressFamily: aws.String(l.Family), OwnerId: aws.String(l.Owner),
		State: l.State, PrefixListArn: aws.String(s.listARN(l)), Tags: tags(l.Tags),
	}
	if l.Owner != ownerAWS {
		view.MaxEntries, view.Version = aws.Int32(l.MaxEntries), aws.Int64(l.Version)
	}
	return view
}

func (s *Service) listARN(l PrefixList) string {
	if l.Owner == ownerAWS {
		return "arn:" + s.place.Partition + ":ec2:" + s.place.Region + ":aws:prefix-list/" + l.ID
	}
	return s.arn("prefix-list", l.ID)
}

func versionText(v int64) string { return strconv.FormatInt(v, 10) }
