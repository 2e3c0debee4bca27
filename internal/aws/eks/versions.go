package eks

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// DefaultVersion is what a cluster gets that asks for no version: the one that
// runs without emulation.
const DefaultVersion = "1.37"

// platformVersion is eksact's own count of changes to its control plane.
const platformVersion = "eks.1"

const clusterType = "eks"

// version is one Kubernetes minor and its life in EKS.
type version struct {
	minor              string
	released           time.Time
	standard, extended time.Time // ends of support
	creatable          bool
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// versions are those that clusters can be created with, newest first. The dates
// are those of the EKS user guide's release calendar, as kept by
// https://endoflife.date/amazon-eks; those of 1.37 are the announcement's
// (2 October 2026) and its lifecycle policy's: 14 months and 12 more.
var versions = []version{
	{minor: "1.37", released: day(2026, 10, 2), standard: day(2027, 12, 2), extended: day(2028, 12, 2), creatable: true},
	{minor: "1.36", released: day(2026, 6, 2), standard: day(2027, 8, 2), extended: day(2028, 8, 2), creatable: true},
	{minor: "1.35", released: day(2026, 1, 28), standard: day(2027, 3, 27), extended: day(2028, 3, 27), creatable: true},
	{minor: "1.34", released: day(2025, 10, 6), standard: day(2026, 12, 2), extended: day(2027, 12, 2), creatable: true},
	{minor: "1.14"},
}

// Supported says whether a cluster of that version can be created.
func Supported(minor string) bool {
	return slices.ContainsFunc(versions, func(v version) bool { return v.creatable && v.minor == minor })
}

func (v version) status(now time.Time) types.VersionStatus {
	switch {
	case !v.creatable || now.After(v.extended):
		return types.VersionStatusUnsupported
	case now.After(v.standard):
		return types.VersionStatusExtendedSupport
	}
	return types.VersionStatusStandardSupport
}

// DescribeClusterVersions lists the versions, newest first.
func (s *Service) DescribeClusterVersions(_ context.Context, in *eks.DescribeClusterVersionsInput) (*eks.DescribeClusterVersionsOutput, error) {
	want, err := wantedStatus(in)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	found := map[string]types.ClusterVersionInformation{}
	var keys []string
	for i, v := range versions {
		status := v.status(now)
		switch {
		case in.ClusterType != nil && *in.ClusterType != clusterType,
			len(in.ClusterVersions) > 0 && !slices.Contains(in.ClusterVersions, v.minor),
			aws.ToBool(in.DefaultOnly) && v.minor != DefaultVersion,
			want != "" && want != status:
			continue
		}
		key := string(rune('a'+i)) + v.minor // sorts as versions does
		keys = append(keys, key)
		found[key] = s.versionView(v, status)
	}
	filter := *in
	filter.MaxResults, filter.NextToken = nil, nil
	cut, next, err := page(keys, digestOf([]any{"DescribeClusterVersions", filter}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &eks.DescribeClusterVersionsOutput{ClusterVersions: []types.ClusterVersionInformation{}, NextToken: next}
	for _, key := range cut {
		out.ClusterVersions = append(out.ClusterVersions, found[key])
	}
	return out, nil
}

// wantedStatus reads the filter in both its spellings.
func wantedStatus(in *eks.DescribeClusterVersionsInput) (types.VersionStatus, error) {
	want := in.VersionStatus
	//lint:ignore SA1019 old clients still send it
	if in.Status != "" {
		//lint:ignore SA1019 old clients still send it
		old := types.VersionStatus(strings.ReplaceAll(strings.ToUpper(string(in.Status)), "-", "_"))
		if want != "" && want != old {
			return "", invalidParameter("", "status and versionStatus ask for different things.")
		}
		want = old
	}
	if want != "" && !slices.Contains(want.Values(), want) {
		return "", invalidParameter("", "Invalid version status: %s", want)
	}
	return want, nil
}

func (s *Service) versionView(v version, status types.VersionStatus) types.ClusterVersionInformation {
	view := types.ClusterVersionInformation{
		ClusterVersion: aws.String(v.minor),
		ClusterType:    aws.String(clusterType),
		DefaultVersion: v.minor == DefaultVersion,
		VersionStatus:  status,
		Status:         types.ClusterVersionStatus(strings.ReplaceAll(strings.ToLower(string(status)), "_", "-")),
	}
	if !v.creatable {
		return view
	}
	view.DefaultPlatformVersion = aws.String(platformVersion)
	view.ReleaseDate = aws.Time(v.released)
	view.EndOfStandardSupportDate = aws.Time(v.standard)
	view.EndOfExtendedSupportDate = aws.Time(v.extended)
	if patch := s.PatchVersions[v.minor]; patch != "" {
		view.KubernetesPatchVersion = aws.String(patch)
	}
	return view
}
