package ec2

import (
	"context"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// CreateManagedPrefixList makes a prefix list.
func (s *Service) CreateManagedPrefixList(ctx context.Context, in *ec2.CreateManagedPrefixListInput) (*ec2.CreateManagedPrefixListOutput, error) {
	named, err := tagsFor(ctx, types.ResourceTypePrefixList, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	l := PrefixList{
		ID: newID("pl-"), Name: aws.ToString(in.PrefixListName), Owner: s.place.AccountID, Family: aws.ToString(in.AddressFamily),
		MaxEntries: aws.ToInt32(in.MaxEntries), Tags: named, Versions: map[int64][]ListEntry{},
	}
	switch {
	case len(l.Name) == 0 || len(l.Name) > maxGroupText || len(l.Name) >= 13 && l.Name[:13] == "com.amazonaws":
		return nil, invalid("The prefix list name '%s' is invalid: up to 255 characters that don't begin with com.amazonaws.", l.Name)
	case l.Family != "IPv4" && l.Family != "IPv6":
		return nil, invalid("The address family '%s' is invalid. Valid values: IPv4 | IPv6", l.Family)
	case l.MaxEntries < 1 || l.MaxEntries > maxListEntries:
		return nil, invalid("The maximum number of entries must be between 1 and %d.", maxListEntries)
	}
	entries, err := l.merged(in.Entries, nil)
	if err != nil {
		return nil, err
	}
	if err := l.next(entries, types.PrefixListStateCreateComplete); err != nil {
		return nil, err
	}
	err = s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) error {
		count := 0
		for range s.lists.In(tx).List("") {
			count++
		}
		if count >= maxLists {
			return api.Errorf(http.StatusBadRequest, "PrefixListLimitExceeded", "The maximum number of prefix lists has been reached.")
		}
		s.lists.In(tx).Put(l.ID, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateManagedPrefixListOutput{PrefixList: s.listView(l)}, nil
}

// ModifyManagedPrefixList changes a list's entries, which makes a new version, or
// its name or size.
func (s *Service) ModifyManagedPrefixList(ctx context.Context, in *ec2.ModifyManagedPrefixListInput) (*ec2.ModifyManagedPrefixListOutput, error) {
	entries := len(in.AddEntries)+len(in.RemoveEntries) > 0
	switch {
	case in.IpamPrefixListResolverSyncEnabled != nil:
		return nil, api.Errorf(http.StatusBadRequest, "UnsupportedOperation", "IpamPrefixListResolverSyncEnabled is not supported: there is no IPAM here.")
	case entries && in.MaxEntries != nil:
		return nil, invalidCombination("You cannot modify the entries of a prefix list and modify the size of a prefix list at the same time.")
	case entries && in.CurrentVersion == nil:
		return nil, absent("CurrentVersion")
	}
	var l PrefixList
	err := s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) (err error) {
		if l, err = s.ownList(tx, in.PrefixListId); err != nil {
			return err
		}
		if err := l.checkVersion(in.CurrentVersion); err != nil {
			return err
		}
		if in.PrefixListName != nil {
			l.Name = *in.PrefixListName
		}
		if in.MaxEntries != nil {
			if err := s.resize(tx, &l, *in.MaxEntries); err != nil {
				return err
			}
		}
		if entries {
			now, err := l.merged(in.AddEntries, in.RemoveEntries)
			if err != nil {
				return err
			}
			if err := l.next(now, types.PrefixListStateModifyComplete); err != nil {
				return err
			}
		}
		s.lists.In(tx).Put(l.ID, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.ModifyManagedPrefixListOutput{PrefixList: s.listView(l)}, nil
}

// resize changes how many entries a list may have, which its users' quotas count.
func (s *Service) resize(tx *store.Tx, l *PrefixList, size int32) error {
	if size < 1 || size > maxListEntries || int(size) < len(l.Entries()) {
		return invalid("The maximum number of entries must be between %d, the entries there are, and %d.", max(1, len(l.Entries())), maxListEntries)
	}
	l.MaxEntries = size
	s.lists.In(tx).Put(l.ID, *l)
	for _, g := range s.usersOfList(tx, l.ID) {
		if err := s.checkQuota(tx, g); err != nil {
			return err
		}
	}
	l.State = types.PrefixListStateModifyComplete
	return nil
}

func (s *Service) usersOfList(tx *store.Tx, id string) (users []SecurityGroup) {
	for _, g := range s.groups.In(tx).List("") {
		if slices.ContainsFunc(g.Rules, func(r Rule) bool { return r.PrefixList == id }) {
			users = append(users, g)
		}
	}
	return users
}

// RestoreManagedPrefixListVersion makes a new version with an old one's entries.
func (s *Service) RestoreManagedPrefixListVersion(ctx context.Context, in *ec2.RestoreManagedPrefixListVersionInput) (*ec2.RestoreManagedPrefixListVersionOutput, error) {
	var l PrefixList
	err := s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) (err error) {
		if l, err = s.ownList(tx, in.PrefixListId); err != nil {
			return err
		}
		if err := l.checkVersion(in.CurrentVersion); err != nil {
			return err
		}
		entries, ok := l.Versions[aws.ToInt64(in.PreviousVersion)]
		if !ok {
			return invalid("The prefix list has no version %s.", versionText(aws.ToInt64(in.PreviousVersion)))
		}
		if err := l.next(slices.Clone(entries), types.PrefixListStateRestoreComplete); err != nil {
			return err
		}
		s.lists.In(tx).Put(l.ID, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.RestoreManagedPrefixListVersionOutput{PrefixList: s.listView(l)}, nil
}

// DeleteManagedPrefixList removes a list that no rule refers to.
func (s *Service) DeleteManagedPrefixList(ctx context.Context, in *ec2.DeleteManagedPrefixListInput) (*ec2.DeleteManagedPrefixListOutput, error) {
	var l PrefixList
	err := s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) (err error) {
		if l, err = s.ownList(tx, in.PrefixListId); err != nil {
			return err
		}
		if len(s.usersOfList(tx, l.ID)) > 0 {
			return api.Errorf(http.StatusBadRequest, "DependencyViolation", "The prefix list '%s' is referenced by resources and cannot be deleted.", l.ID)
		}
		s.lists.In(tx).Delete(l.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	l.State = types.PrefixListStateDeleteComplete
	return &ec2.DeleteManagedPrefixListOutput{PrefixList: s.listView(l)}, nil
}

// DescribeManagedPrefixLists lists the account's prefix lists and AWS's own.
func (s *Service) DescribeManagedPrefixLists(_ context.Context, in *ec2.DescribeManagedPrefixListsInput) (*ec2.DescribeManagedPrefixListsOutput, error) {
	found, next, err := run(s.lists, listKind, query{in.DryRun, in.PrefixListIds, in.Filters, in.MaxResults, in.NextToken, "DescribeManagedPrefixLists"},
		listAttributes("owner-id"), func(l PrefixList) map[string]string { return l.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeManagedPrefixListsOutput{NextToken: next, PrefixLists: []types.ManagedPrefixList{}}
	for _, l := range found {
		out.PrefixLists = append(out.PrefixLists, *s.listView(l))
	}
	return out, nil
}

func listAttributes(more ...string) attributes[PrefixList] {
	known := attributes[PrefixList]{
		"prefix-list-id":   func(l PrefixList) []string { return []string{l.ID} },
		"prefix-list-name": func(l PrefixList) []string { return []string{l.Name} },
	}
	if slices.Contains(more, "owner-id") {
		known["owner-id"] = func(l PrefixList) []string { return []string{l.Owner} }
	}
	return known
}

// DescribePrefixLists lists AWS's own lists with their blocks.
func (s *Service) DescribePrefixLists(_ context.Context, in *ec2.DescribePrefixListsInput) (*ec2.DescribePrefixListsOutput, error) {
	all := slices.DeleteFunc(s.PrefixLists(), func(l PrefixList) bool { return l.Owner != ownerAWS })
	found, next, err := runOver(all, func(l PrefixList) string { return l.ID }, listKind,
		query{in.DryRun, in.PrefixListIds, in.Filters, in.MaxResults, in.NextToken, "DescribePrefixLists"}, listAttributes(), nil)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribePrefixListsOutput{NextToken: next, PrefixLists: []types.PrefixList{}}
	for _, l := range found {
		view := types.PrefixList{PrefixListId: aws.String(l.ID), PrefixListName: aws.String(l.Name)}
		for _, e := range l.Entries() {
			view.Cidrs = append(view.Cidrs, e.CIDR.String())
		}
		out.PrefixLists = append(out.PrefixLists, view)
	}
	return out, nil
}

// GetManagedPrefixListEntries lists a list's blocks, also of an older version.
func (s *Service) GetManagedPrefixListEntries(_ context.Context, in *ec2.GetManagedPrefixListEntriesInput) (*ec2.GetManagedPrefixListEntriesOutput, error) {
	id := aws.ToString(in.PrefixListId)
	l, ok := s.lists.Get(id)
	if !ok {
		return nil, notThere(listKind, id)
	}
	version := l.Version
	if in.TargetVersion != nil {
		version = *in.TargetVersion
	}
	entries, ok := l.Versions[version]
	if !ok {
		return nil, invalid("The prefix list has no version %s.", versionText(version))
	}
	// One list's pages, in the order of the blocks.
	q := query{in.DryRun, nil, nil, in.MaxResults, in.NextToken, "GetManagedPrefixListEntries/" + id + "/" + versionText(version)}
	found, next, err := runOver(slices.Clone(entries), func(e ListEntry) string { return e.CIDR.String() }, listKind, q, attributes[ListEntry]{}, nil)
	if err != nil {
		return nil, err
	}
	out := &ec2.GetManagedPrefixListEntriesOutput{NextToken: next, Entries: []types.PrefixListEntry{}}
	for _, e := range found {
		out.Entries = append(out.Entries, types.PrefixListEntry{Cidr: aws.String(e.CIDR.String()), Description: pointer(e.Description)})
	}
	return out, nil
}
