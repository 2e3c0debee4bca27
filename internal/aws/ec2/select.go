package ec2

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// kind is what errors call a kind of resource.
type kind struct {
	one, many string // "vpc ID", "vpc IDs"
	set       string // the list's name on the wire: "vpcSet"
	notFound  string // code
	malformed string // code of ids that don't start with prefix; "": they are just not found
	prefix    string
}

var (
	vpcKind       = kind{"vpc ID", "vpc IDs", "vpcSet", "InvalidVpcID.NotFound", "", "vpc-"}
	subnetKind    = kind{"subnet ID", "subnet IDs", "subnetSet", "InvalidSubnetID.NotFound", "", "subnet-"}
	groupKind     = kind{"security group", "security groups", "securityGroupSet", "InvalidGroup.NotFound", "InvalidGroupId.Malformed", "sg-"}
	ruleKind      = kind{"security group rule ID", "security group rule IDs", "securityGroupRuleSet", "InvalidSecurityGroupRuleId.NotFound", "InvalidSecurityGroupRuleId.Malformed", "sgr-"}
	listKind      = kind{"prefix list ID", "prefix list IDs", "prefixListSet", "InvalidPrefixListID.NotFound", "InvalidPrefixListID.Malformed", "pl-"}
	interfaceKind = kind{"networkInterface ID", "networkInterface IDs", "networkInterfaceSet", "InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterfaceId.Malformed", "eni-"}
	instanceKind  = kind{"instance ID", "instance IDs", "instancesSet", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "i-"}
)

// query is what the Describe calls have in common.
type query struct {
	dryRun  *bool
	ids     []string
	filters []types.Filter
	max     *int32
	next    *string
	call    string // the operation, which a token is bound to
}

// run selects a page of a table's resources, by id.
func run[T any](table *store.Table[T], k kind, q query, known attributes[T], tags func(T) map[string]string) ([]T, *string, error) {
	if err := q.check(k); err != nil {
		return nil, nil, err
	}
	match, err := matcher(q.filters, known, tags)
	if err != nil {
		return nil, nil, err
	}
	all := table.List("")
	if len(q.ids) > 0 {
		if all, err = named(table, k, q.ids); err != nil {
			return nil, nil, err
		}
	}
	after, err := q.after()
	if err != nil {
		return nil, nil, err
	}
	var found []T
	last := ""
	for id, r := range all {
		if id <= after || !match(r) {
			continue
		}
		if q.max != nil && len(found) == int(*q.max) {
			return found, q.token(last), nil
		}
		found, last = append(found, r), id
	}
	return found, nil, nil
}

// named looks the ids up; one that isn't there is an error.
func named[T any](table *store.Table[T], k kind, ids []string) (iter.Seq2[string, T], error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var missing []string
	for _, id := range ids {
		if rest, ok := strings.CutPrefix(id, k.prefix); k.malformed != "" && !ok {
			return nil, malformedID(k, id)
		} else if k == instanceKind && strings.Trim(rest, "0123456789abcdef") != "" {
			return nil, api.Errorf(http.StatusBadRequest, k.malformed, "Invalid id: %q", id)
		}
		if _, ok := table.Get(id); !ok {
			missing = append(missing, id)
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		return nil, notThere(k, missing[0])
	default:
		return nil, api.Errorf(http.StatusBadRequest, k.notFound, "The %s '%s' do not exist", k.many, strings.Join(missing, ", "))
	}
	return func(yield func(string, T) bool) {
		for _, id := range ids {
			if r, ok := table.Get(id); ok && !yield(id, r) {
				return
			}
		}
	}, nil
}

// check applies the rules of DryRun and of pages.
func (q query) check(k kind) error {
	if aws.ToBool(q.dryRun) {
		return errDryRun()
	}
	if q.max == nil {
		return nil
	}
	if len(q.ids) > 0 {
		return api.Errorf(http.StatusBadRequest, "InvalidParameterCombination", "The parameter %s cannot be used with the parameter maxResults", k.set)
	}
	if *q.max < 5 || *q.max > 1000 {
		return api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", *q.max)
	}
	return nil
}

// A token is the last id of a page and a digest of the request it continues.
func (q query) digest() string {
	data, _ := json.Marshal([]any{q.call, q.ids, q.filters}) // plain data
	sum := sha256.Sum256(data)
	return string(sum[:12])
}

func (q query) token(last string) *string {
	return aws.String(base64.StdEncoding.EncodeToString([]byte(q.digest() + last)))
}

func (q query) after() (string, error) {
	if aws.ToString(q.next) == "" {
		return "", nil
	}
	data, err := base64.StdEncoding.DecodeString(*q.next)
	after, ok := strings.CutPrefix(string(data), q.digest())
	if err != nil || !ok {
		return "", api.Errorf(http.StatusBadRequest, "InvalidNextToken", "The token '%s' is invalid", *q.next)
	}
	return after, nil
}
