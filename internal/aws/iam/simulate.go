package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
)

// SimulateCustomPolicy decides actions on resources by policies that are given.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html
func (i *IAM) SimulateCustomPolicy(_ context.Context, in *iam.SimulateCustomPolicyInput) (*iam.SimulateCustomPolicyOutput, error) {
	s, err := i.simulation(&simulationInput{
		actions: in.ActionNames, resources: in.ResourceArns, policies: in.PolicyInputList, boundaries: in.PermissionsBoundaryPolicyInputList,
		organization: in.OrderedOrganizationPolicyInputList, resourcePolicy: in.ResourcePolicy, owner: in.ResourceOwner, caller: in.CallerArn,
		entries: in.ContextEntries, handling: in.ResourceHandlingOption,
	})
	if err != nil {
		return nil, err
	}
	page, err := s.page(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &iam.SimulateCustomPolicyOutput{EvaluationResults: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// SimulatePrincipalPolicy decides them by the policies of a user, group or role,
// and by those that are given beside them.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
func (i *IAM) SimulatePrincipalPolicy(_ context.Context, in *iam.SimulatePrincipalPolicyInput) (*iam.SimulatePrincipalPolicyOutput, error) {
	e, err := i.entityByARN(value(in.PolicySourceArn))
	if err != nil {
		return nil, err
	}
	if err := e.exclude(in.PolicyExclusionList); err != nil {
		return nil, err
	}
	s, err := i.simulation(&simulationInput{
		source: e, actions: in.ActionNames, resources: in.ResourceArns, policies: in.PolicyInputList, boundaries: in.PermissionsBoundaryPolicyInputList,
		resourcePolicy: in.ResourcePolicy, owner: in.ResourceOwner, caller: in.CallerArn, entries: in.ContextEntries, handling: in.ResourceHandlingOption,
	})
	if err != nil {
		return nil, err
	}
	page, err := s.page(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &iam.SimulatePrincipalPolicyOutput{EvaluationResults: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// simulationInput is what both operations take.
type simulationInput struct {
	source                                   *entity // of SimulatePrincipalPolicy
	actions, resources, policies, boundaries []string
	organization                             []types.OrderedOrganizationPolicyType
	resourcePolicy, owner, caller, handling  *string
	entries                                  []types.ContextEntry
}

// simulation is one call, ready to be decided action by action.
type simulation struct {
	actions, resources []string
	explicit           bool // resources were named
	applied            policy.Applied
	caller             policy.Caller
	keys               *simulated
	owner              string // account of resources whose ARN names none
	names              map[*policy.Policy]sourceName
	documents          []*policy.Document // whose keys can be missing
	missing            func() []string    // those that are, found once when asked for
}

// sourceName is what answers call a policy.
type sourceName struct {
	id, kind string
}

// SourcePolicyType as AWS answers it, which is not what its model lists.
const (
	identitySource = "IAM Policy"
	resourceSource = "Resource Policy"
	boundarySource = "Permissions Boundary Policy"
)

func (i *IAM) simulation(in *simulationInput) (*simulation, error) {
	s := &simulation{actions: in.actions, names: map[*policy.Policy]sourceName{}}
	for _, step := range []func(*simulationInput) error{s.nameResources, s.handle, s.identity, s.boundary, s.organization, s.context, i.callerOf(s), s.resource} {
		if err := step(in); err != nil {
			return nil, err
		}
	}
	s.missing = sync.OnceValue(func() []string { return s.keys.missing(s.documents) })
	return s, nil
}

// nameResources checks actions and resources.
func (s *simulation) nameResources(in *simulationInput) error {
	for _, action := range in.actions {
		if !strings.Contains(action, ":") {
			return invalidInput("The action %s is invalid since it is missing the name of its service.", action)
		}
	}
	s.resources = in.resources
	if len(s.resources) == 0 {
		s.resources = everything
	}
	for _, r := range s.resources {
		if parts := strings.SplitN(r, ":", 6); r == "*" && len(s.resources) > 1 || r != "*" && (len(parts) != 6 || parts[0] != "arn" || parts[2] == "" || parts[5] == "") {
			return invalidInput("ResourceNames are not in a valid ARN format: %s.", r)
		}
	}
	s.explicit = s.resources[0] != "*"
	return nil
}

// handlings are the scenarios of ec2:RunInstances. They name resources that the
// simulation must be about, which AWS does not insist on; so they change nothing.
var handlings = []string{"EC2-VPC-InstanceStore", "EC2-VPC-InstanceStore-Subnet", "EC2-VPC-EBS", "EC2-VPC-EBS-Subnet"}

func (s *simulation) handle(in *simulationInput) error {
	option := value(in.handling)
	if option == "" {
		return nil
	}
	if !slices.Contains(handlings, option) {
		return invalidInput("The resource handling option %s is not offered here: only %s.", option, strings.Join(handlings, ", "))
	}
	for _, action := range s.actions {
		if s.explicit && !strings.EqualFold(action, "ec2:RunInstances") {
			return invalidInput("Invalid input resource handling options. Action does not support resource handling options: %s.", action)
		}
	}
	return nil
}

// read parses a document that was given, and remembers what it is called.
func (s *simulation) read(kind policy.Kind, text string, name sourceName) (policy.Source, error) {
	doc, err := policy.Parse(kind, text)
	if err != nil {
		return policy.Source{}, invalidInput("%s is not a valid policy: %s", name.id, err)
	}
	p := policy.Compile(doc)
	s.names[p] = name
	s.documents = append(s.documents, doc)
	return policy.Source{Policy: p}, nil
}

// holds takes over a policy of the entity.
func (s *simulation) holds(h *held, kind string) policy.Source {
	id := h.name
	if h.arn == "" {
		id = h.kind + "_" + h.owner + "_" + h.name
	}
	s.names[h.policy] = sourceName{id, kind}
	s.documents = append(s.documents, h.policy.Document())
	return policy.Source{ARN: h.arn, Policy: h.policy}
}

func (s *simulation) identity(in *simulationInput) error {
	var sources []policy.Source
	if in.source != nil {
		for n := range in.source.policies {
			sources = append(sources, s.holds(&in.source.policies[n], identitySource))
		}
	}
	for n, text := range in.policies {
		source, err := s.read(policy.Inline, text, sourceName{fmt.Sprintf("PolicyInputList.%d", n+1), identitySource})
		if err != nil {
			return err
		}
		sources = append(sources, source)
	}
	s.applied.Identity = policy.NewProgram(sources...)
	return nil
}

// boundary is the one that was given, or else the entity's.
func (s *simulation) boundary(in *simulationInput) error {
	switch {
	case len(in.boundaries) > 1:
		return invalidInput("The list of Permissions Boundary policies cannot exceed 1 items.")
	case len(in.boundaries) == 1:
		source, err := s.read(policy.Inline, in.boundaries[0], sourceName{"PermissionsBoundaryPolicyInputList.1", boundarySource})
		if err != nil {
			return err
		}
		s.applied.Boundary = policy.NewProgram(source)
	case in.source != nil && in.source.boundary != nil:
		// As a layer of its own, though the same policy may be attached, too.
		b := *in.source.boundary
		b.policy = policy.Compile(b.policy.Document())
		s.applied.Boundary = policy.NewProgram(s.holds(&b, boundarySource))
	}
	return nil
}

// organization are the service control policies, level by level. Their keys are
// not told as missing.
func (s *simulation) organization(in *simulationInput) error {
	documents := s.documents
	for n, level := range in.organization {
		if len(level.ServiceControlPolicyInputList) == 0 {
			return invalidInput("Organization policy at index %d must contain at least one service control policy", n+1)
		}
		var sources []policy.Source
		for m, text := range level.ServiceControlPolicyInputList {
			source, err := s.read(policy.Inline, text, sourceName{id: fmt.Sprintf("OrderedOrganizationPolicyInputList.%d.%d", n+1, m+1)})
			if err != nil {
				return err
			}
			sources = append(sources, source)
		}
		s.applied.SCP = append(s.applied.SCP, policy.NewProgram(sources...))
	}
	s.documents = documents
	return nil
}

func (s *simulation) context(in *simulationInput) (err error) {
	s.keys, err = contextOf(in.entries)
	return err
}

// callerOf names the caller: who is given, or else whose policies are simulated.
func (i *IAM) callerOf(s *simulation) func(*simulationInput) error {
	return func(in *simulationInput) error {
		arn := value(in.caller)
		if arn == "" && in.source != nil {
			arn = in.source.arn
		}
		s.caller = policy.Caller{Kind: policy.UserCaller, Account: i.place.AccountID}
		if arn == "" {
			if in.resourcePolicy != nil {
				return invalidInput("Invalid caller - Caller cannot be null or empty.")
			}
			s.keys.defaults["aws:principalaccount"], s.keys.defaults["aws:userid"] = i.place.AccountID, nobodyID
			return nil
		}
		parts := strings.SplitN(arn, ":", 6)
		kind := ""
		if len(parts) == 6 && parts[2] == "iam" {
			kind, _, _ = strings.Cut(parts[5], "/")
		}
		switch {
		case !slices.Contains([]string{"user", "group", "role"}, kind):
			return invalidInput("Invalid caller - Caller must be an IAM user, role or group in this context.")
		case kind != "user" && in.resourcePolicy != nil:
			return invalidInput("Invalid caller - Caller must be an IAM user in this context.")
		case kind == "role":
			s.caller.Kind = policy.RoleCaller
		case kind == "user":
			s.keys.defaults["aws:username"] = lastOf(arn)
		}
		s.caller.Account, s.caller.ARN, s.caller.Entity, s.caller.UserID = parts[4], arn, arn, arn
		if in.source != nil && in.source.arn == arn {
			s.caller.ID = in.source.id
		}
		s.keys.defaults["aws:principalarn"], s.keys.defaults["aws:principalaccount"], s.keys.defaults["aws:userid"] = arn, parts[4], arn
		return nil
	}
}

// resource reads the resource's policy and whose the resources are.
func (s *simulation) resource(in *simulationInput) error {
	if in.owner != nil {
		parts := strings.SplitN(*in.owner, ":", 6)
		if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || len(parts[4]) != 12 {
			return invalidInput("Invalid Resource Owner.")
		}
		s.owner = parts[4]
	}
	if in.resourcePolicy == nil {
		return nil
	}
	if !s.explicit {
		return noEntity("*")
	}
	kind := policy.Resource
	if !slices.ContainsFunc(s.actions, func(action string) bool { return !assumes(action) }) {
		kind = policy.Trust
	}
	source, err := s.read(kind, *in.resourcePolicy, sourceName{"ResourcePolicy", resourceSource})
	if err != nil {
		return err
	}
	s.applied.Resource = policy.NewProgram(source)
	return nil
}

// assumes says whether a role's trust policy decides about an action.
func assumes(action string) bool {
	lower := strings.ToLower(action)
	return strings.HasPrefix(lower, "sts:assumerole") || lower == "sts:tagsession" || lower == "sts:setsourceidentity"
}
