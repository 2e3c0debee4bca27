package route53

import (
	"context"
	"encoding/base64"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// maxSets is the largest page of record sets, and the default.
const maxSets = 300

// ListResourceRecordSets lists a zone's record sets by name, its labels from the
// right, and type, from a given name and type on.
func (s *Service) ListResourceRecordSets(_ context.Context, in *route53.ListResourceRecordSetsInput) (*route53.ListResourceRecordSetsOutput, error) {
	z, err := s.find(in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	size := maxSets
	if in.MaxItems != nil {
		if *in.MaxItems < 1 {
			return nil, invalidInput("MaxItems must be at least 1: %d", *in.MaxItems)
		}
		size = min(int(*in.MaxItems), maxSets)
	}
	from := z.ID + " "
	switch start := aws.ToString(in.StartRecordName); {
	case start == "" && in.StartRecordType != "":
		return nil, invalidInput("The input is not valid: StartRecordType must not be given without StartRecordName")
	case start != "":
		name, ok := normalize(start)
		if !ok {
			return nil, invalidInput("%s is not a valid domain name", start)
		}
		from = setKey(z.ID, name, string(in.StartRecordType))
	}
	out := &route53.ListResourceRecordSetsOutput{ResourceRecordSets: []types.ResourceRecordSet{}, MaxItems: aws.Int32(int32(size))}
	for key, set := range s.sets.Shared(z.ID + " ") {
		if key < from {
			continue
		}
		if len(out.ResourceRecordSets) == size {
			out.IsTruncated, out.NextRecordName, out.NextRecordType = true, aws.String(set.Name), types.RRType(set.Type)
			break
		}
		out.ResourceRecordSets = append(out.ResourceRecordSets, set.view())
	}
	return out, nil
}

func (set *Set) view() types.ResourceRecordSet {
	v := types.ResourceRecordSet{Name: aws.String(set.Name), Type: types.RRType(set.Type)}
	if a := set.Alias; a != nil {
		v.AliasTarget = &types.AliasTarget{HostedZoneId: aws.String(a.ZoneID), DNSName: aws.String(a.Name), EvaluateTargetHealth: a.Evaluate}
		return v
	}
	v.TTL = aws.Int64(set.TTL)
	for _, value := range set.Values {
		v.ResourceRecords = append(v.ResourceRecords, types.ResourceRecord{Value: aws.String(value)})
	}
	return v
}

// A token is the first key of the next page, for clients to pass on unread.

func writeToken(key string) *string {
	return aws.String(base64.RawURLEncoding.EncodeToString([]byte(key)))
}

func readToken(token string) (key string, err error) {
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", &types.InvalidPaginationToken{Message: aws.String("The pagination token is not valid.")}
	}
	return string(data), nil
}
