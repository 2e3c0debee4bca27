package route53

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/store"
)

// maxChanges is how many a batch may hold; an UPSERT counts twice.
const maxChanges = 1000

// ChangeResourceRecordSets makes all changes of a batch, in their order, or none.
func (s *Service) ChangeResourceRecordSets(ctx context.Context, in *route53.ChangeResourceRecordSetsInput) (*route53.ChangeResourceRecordSetsOutput, error) {
	z, err := s.find(in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	if in.ChangeBatch == nil || len(in.ChangeBatch.Changes) == 0 {
		return nil, invalidInput("Invalid request: Missing field 'Changes' in ChangeBatch")
	}
	wanted, err := readBatch(z, in.ChangeBatch.Changes)
	if err != nil {
		return nil, err
	}
	out := &route53.ChangeResourceRecordSetsOutput{}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.zones.In(tx).Get(z.ID); !ok {
			return noZone(z.ID)
		}
		b := batch{s: s, zone: z, sets: s.sets.In(tx)}
		for _, w := range wanted {
			b.apply(w)
		}
		b.checkWhole(wanted)
		if len(b.faults) > 0 {
			return invalidBatch(b.faults...)
		}
		out.ChangeInfo = s.note(tx, aws.ToString(in.ChangeBatch.Comment))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// wish is one change of a batch.
type wish struct {
	action types.ChangeAction
	set    Set
}

// readBatch reads the changes and says what is wrong with them whatever is there.
func readBatch(z Zone, changes []types.Change) ([]wish, error) {
	var all []wish
	var faults []string
	n := 0
	for _, c := range changes {
		set, err := readSet(c)
		if err != nil {
			return nil, err
		}
		if n++; c.Action == types.ChangeActionUpsert {
			n++
		}
		faults = append(faults, setFaults(z, set)...)
		all = append(all, wish{c.Action, set})
	}
	if n > maxChanges {
		faults = []string{fmt.Sprintf("Number of records limit of %d exceeded.", maxChanges)}
	}
	if len(faults) > 0 {
		return nil, invalidBatch(faults...)
	}
	return all, nil
}

// readSet is the record set that a change names, if it is of a kind that is there.
func readSet(c types.Change) (Set, error) {
	in := c.ResourceRecordSet
	if in == nil {
		return Set{}, invalidInput("Invalid request: Missing field 'ResourceRecordSet' in Change with [Action=%s]", c.Action)
	}
	where := fmt.Sprintf("Change with [Action=%s, Name=%s, Type=%s, SetIdentifier=%s]", c.Action, aws.ToString(in.Name), in.Type, orNull(in.SetIdentifier))
	for _, refused := range []struct {
		parameter string
		given     bool
		why       string
	}{
		{"HealthCheckId", in.HealthCheckId != nil, "there are no health checks"},
		{"TrafficPolicyInstanceId", in.TrafficPolicyInstanceId != nil, "there are no traffic policies"},
		{"Weight", in.Weight != nil, "there is simple routing alone"},
		{"Region", in.Region != "", "there is simple routing alone"},
		{"Failover", in.Failover != "", "there is simple routing alone"},
		{"GeoLocation", in.GeoLocation != nil, "there is simple routing alone"},
		{"GeoProximityLocation", in.GeoProximityLocation != nil, "there is simple routing alone"},
		{"MultiValueAnswer", in.MultiValueAnswer != nil, "there is simple routing alone"},
		{"CidrRoutingConfig", in.CidrRoutingConfig != nil, "there is simple routing alone"},
		{"SetIdentifier", in.SetIdentifier != nil, "there is simple routing alone"},
	} {
		if refused.given {
			return Set{}, unsupported(refused.parameter, refused.why)
		}
	}
	plain := in.TTL != nil || len(in.ResourceRecords) > 0
	switch {
	case in.AliasTarget != nil && plain:
		return Set{}, invalidInput("Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one in %s", where)
	case in.AliasTarget == nil && !plain:
		return Set{}, invalidInput("Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in %s", where)
	case in.AliasTarget == nil && in.TTL == nil:
		return Set{}, invalidInput("Invalid request: Missing field 'TTL' in %s", where)
	case in.AliasTarget == nil && len(in.ResourceRecords) == 0:
		return Set{}, invalidInput("Invalid request: Missing field 'ResourceRecords' in %s", where)
	}
	set := Set{Name: aws.ToString(in.Name), Type: string(in.Type), TTL: aws.ToInt64(in.TTL)}
	for _, r := range in.ResourceRecords {
		set.Values = append(set.Values, aws.ToString(r.Value))
	}
	if a := in.AliasTarget; a != nil {
		set.Alias = &Alias{ZoneID: bare(aws.ToString(a.HostedZoneId)), Name: aws.ToString(a.DNSName), Evaluate: a.EvaluateTargetHealth}
	}
	if name, ok := normalize(set.Name); ok {
		set.Name = name
	}
	if set.Alias != nil {
		if name, ok := normalize(set.Alias.Name); ok {
			set.Alias.Name = name
		}
	}
	return set, nil
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// setFaults lists what is wrong with a record set in itself.
func setFaults(z Zone, set Set) []string {
	name, ok := normalize(set.Name)
	if !ok {
		return []string{problem("UnsupportedCharacter", "Value contains unsupported characters", set.Name)}
	}
	var faults []string
	switch {
	case !inZone(name, z.Name):
		faults = append(faults, fmt.Sprintf("RRSet with DNS name %s is not permitted in zone %s", name, z.Name))
	case set.Type == "CNAME" && name == z.Name:
		faults = append(faults, fmt.Sprintf("RRSet of type CNAME with DNS name %s is not permitted at apex in zone %s", name, z.Name))
	case set.Type == "SOA" && name != z.Name:
		faults = append(faults, fmt.Sprintf("RRSet of type SOA with DNS name %s is not permitted in zone %s", name, z.Name))
	case set.TTL < 0 || set.TTL > 1<<31-1:
		faults = append(faults, fmt.Sprintf("Invalid TTL %d for RRSet of type %s with DNS name %s", set.TTL, set.Type, name))
	case (set.Type == "CNAME" || set.Type == "SOA") && len(set.Values) > 1:
		faults = append(faults, fmt.Sprintf("The record set %s of type %s contains more than one resource record", name, set.Type))
	case set.Alias != nil && (set.Type == "NS" || set.Type == "SOA"):
		faults = append(faults, fmt.Sprintf("An alias of type %s is not permitted", set.Type))
	}
	for i, v := range set.Values {
		if slices.Contains(set.Values[:i], v) {
			faults = append(faults, fmt.Sprintf("Duplicate Resource Record: '%s'", v))
		} else if fault := valueFault(set.Type, v); fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults
}

// batch is a batch of changes under way.
type batch struct {
	s      *Service
	zone   Zone
	sets   store.TxTable[Set]
	faults []string
}

func (b *batch) fault(format string, args ...any) {
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

func (b *batch) apply(w wish) {
	key := setKey(b.zone.ID, w.set.Name, w.set.Type)
	now, there := b.sets.Get(key)
	switch w.action {
	case types.ChangeActionDelete:
		switch {
		case !there:
			b.fault("Tried to delete resource record set [name='%s', type='%s'] but it was not found", w.set.Name, w.set.Type)
		case !now.equal(w.set):
			b.fault("Tried to delete resource record set [name='%s', type='%s'] but the values provided do not match the current values", w.set.Name, w.set.Type)
		default:
			b.sets.Delete(key)
		}
	case types.ChangeActionCreate, types.ChangeActionUpsert:
		if there && w.action == types.ChangeActionCreate {
			b.fault("Tried to create resource record set [name='%s', type='%s'] but it already exists", w.set.Name, w.set.Type)
			return
		}
		b.sets.Put(key, w.set)
	}
}

// checkWhole checks what must hold of the zone after the batch.
func (b *batch) checkWhole(wanted []wish) {
	apex := func(kind string) bool { _, ok := b.sets.Get(setKey(b.zone.ID, b.zone.Name, kind)); return ok }
	if !apex("SOA") {
		b.fault("A HostedZone must contain exactly one SOA record.")
	}
	if !apex("NS") {
		b.fault("A HostedZone must contain at least one NS record for the zone itself.")
	}
	for _, w := range wanted {
		if w.action == types.ChangeActionDelete {
			continue
		}
		cname, others := false, false
		for _, set := range b.sets.List(nameKey(b.zone.ID, w.set.Name) + " ") {
			if set.Type == "CNAME" {
				cname = true
			} else {
				others = true
			}
		}
		switch {
		case cname && others && w.set.Type == "CNAME":
			b.fault("RRSet of type CNAME with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone %s", w.set.Name, b.zone.Name)
		case cname && others:
			b.fault("RRSet of type %s with DNS name %s is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone %s", w.set.Type, w.set.Name, b.zone.Name)
		}
		if w.set.Alias != nil {
			b.checkAlias(w.set)
		}
	}
}

// checkAlias checks that an alias leads to a record of its own zone or to a load
// balancer.
func (b *batch) checkAlias(set Set) {
	a := set.Alias
	if a.ZoneID == b.zone.ID {
		switch _, ok := b.sets.Get(setKey(a.ZoneID, a.Name, set.Type)); {
		case !inZone(a.Name, b.zone.Name):
			b.fault("Tried to create an alias that targets %s, type %s in zone %s, but the alias target name does not lie within the target zone", a.Name, set.Type, a.ZoneID)
		case !ok || a.Name == set.Name:
			b.fault("Tried to create an alias that targets %s, type %s in zone %s, but that target was not found", a.Name, set.Type, a.ZoneID)
		}
		return
	}
	switch there, within := b.s.isBalancer(a.Name, a.ZoneID); {
	case !within:
		b.fault("Tried to create an alias that targets %s, type %s in zone %s, but the alias target name does not lie within the target zone", a.Name, set.Type, a.ZoneID)
	case !there || set.Type != "A" && set.Type != "AAAA":
		b.fault("Tried to create an alias that targets %s, type %s in zone %s, but that target was not found", a.Name, set.Type, a.ZoneID)
	}
}
