package ecr

import (
	"bytes"
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// lifecycle is a lifecycle policy.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
type lifecycle struct {
	Rules []rule `json:"rules"`
}

type rule struct {
	Priority    int    `json:"rulePriority"`
	Description string `json:"description"`
	Selection   struct {
		TagStatus string   `json:"tagStatus"`
		Prefixes  []string `json:"tagPrefixList"`
		Patterns  []string `json:"tagPatternList"`
		CountType string   `json:"countType"`
		CountUnit string   `json:"countUnit"`
		Count     int      `json:"countNumber"`
	} `json:"selection"`
	Action struct {
		Type string `json:"type"`
	} `json:"action"`
}

func badLifecycle(why string) error {
	return invalid("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: %s'", why)
}

// parseLifecycle reads a lifecycle policy, its rules in the order of their priorities.
func parseLifecycle(text string) (l lifecycle, err error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields() // what would be dropped silently
	if err := d.Decode(&l); err != nil {
		return l, badLifecycle(err.Error())
	}
	if len(l.Rules) == 0 || len(l.Rules) > 50 {
		return l, badLifecycle("there must be 1 to 50 rules")
	}
	seen := map[int]bool{}
	for _, r := range l.Rules {
		s := &r.Selection
		tagged := s.TagStatus == "tagged"
		switch {
		case r.Priority < 1 || seen[r.Priority]:
			return l, badLifecycle("rulePriority must be positive, and another for each rule")
		case r.Action.Type != "expire":
			return l, badLifecycle("the action " + r.Action.Type + " is not supported here, expire is")
		case !tagged && s.TagStatus != "untagged" && s.TagStatus != "any":
			return l, badLifecycle("tagStatus must be tagged, untagged or any")
		case tagged == (len(s.Prefixes)+len(s.Patterns) == 0) || len(s.Prefixes) > 0 && len(s.Patterns) > 0:
			return l, badLifecycle("tagged, and only that, needs one of tagPrefixList and tagPatternList")
		case s.CountType != "imageCountMoreThan" && s.CountType != "sinceImagePushed":
			return l, badLifecycle("countType " + s.CountType + " is not supported here, imageCountMoreThan and sinceImagePushed are")
		case s.CountType == "sinceImagePushed" && s.CountUnit != "days", s.CountType != "sinceImagePushed" && s.CountUnit != "":
			return l, badLifecycle("countUnit is days with sinceImagePushed, and absent otherwise")
		case s.Count < 1:
			return l, badLifecycle("countNumber must be positive")
		}
		for _, p := range s.Patterns {
			if strings.Count(p, "*") > 4 || !tagPattern(p) {
				return l, badLifecycle("tagPatternList: " + p)
			}
		}
		seen[r.Priority] = true
	}
	slices.SortStableFunc(l.Rules, func(a, b rule) int { return a.Priority - b.Priority })
	return l, nil
}

func tagPattern(p string) bool { return p != "" && !strings.ContainsAny(p, `[]\?/`) }

// covers says whether a rule is about an image: one of its tags must fit each prefix or
// pattern.
func (r *rule) covers(i *Image) bool {
	s := &r.Selection
	switch s.TagStatus {
	case "any":
		return true
	case "untagged":
		return len(i.Tags) == 0
	}
	fits := func(tests []string, fit func(test, tag string) bool) bool {
		return !slices.ContainsFunc(tests, func(test string) bool {
			return !slices.ContainsFunc(i.Tags, func(tag string) bool { return fit(test, tag) })
		})
	}
	return len(i.Tags) > 0 && fits(s.Prefixes, func(p, tag string) bool { return strings.HasPrefix(tag, p) }) &&
		fits(s.Patterns, func(p, tag string) bool { ok, err := path.Match(p, tag); return ok && err == nil })
}

// expired are the images that a policy gives up, of all of a repository. An image is one
// rule's, the first that covers it; what an index has stays with it.
func (l *lifecycle) expired(all []Image, now time.Time) (gone []Image) {
	held := map[string]bool{}
	for _, i := range all {
		for _, digest := range i.Images {
			held[digest] = true
		}
	}
	newest := slices.SortedFunc(slices.Values(all), func(a, b Image) int { return b.Pushed.Compare(a.Pushed) })
	taken := map[string]bool{}
	for n := range l.Rules {
		r, count := &l.Rules[n], 0
		for _, i := range newest {
			if held[i.Digest] || taken[i.Digest] || !r.covers(&i) {
				continue
			}
			taken[i.Digest] = true
			count++
			old := r.Selection.CountType == "sinceImagePushed" && now.Sub(i.Pushed) > time.Duration(r.Selection.Count)*24*time.Hour
			many := r.Selection.CountType == "imageCountMoreThan" && count > r.Selection.Count
			if old || many {
				gone = append(gone, i)
			}
		}
	}
	return gone
}

// PutLifecyclePolicy gives a repository its lifecycle policy.
func (s *Service) PutLifecyclePolicy(ctx context.Context, in *ecr.PutLifecyclePolicyInput) (*ecr.PutLifecyclePolicyOutput, error) {
	text := aws.ToString(in.LifecyclePolicyText)
	if _, err := parseLifecycle(text); err != nil {
		return nil, err
	}
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error { r.Lifecycle = text; return nil })
	if err != nil {
		return nil, err
	}
	return &ecr.PutLifecyclePolicyOutput{RegistryId: &s.Place.AccountID, RepositoryName: &r.Name, LifecyclePolicyText: &text}, nil
}

// GetLifecyclePolicy shows it.
func (s *Service) GetLifecyclePolicy(_ context.Context, in *ecr.GetLifecyclePolicyInput) (*ecr.GetLifecyclePolicyOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if r.Lifecycle == "" {
		return nil, &types.LifecyclePolicyNotFoundException{Message: s.noPolicy("Lifecycle policy", r.Name)}
	}
	out := &ecr.GetLifecyclePolicyOutput{RegistryId: &s.Place.AccountID, RepositoryName: &r.Name, LifecyclePolicyText: &r.Lifecycle}
	if !r.Evaluated.IsZero() {
		out.LastEvaluatedAt = &r.Evaluated
	}
	return out, nil
}

// DeleteLifecyclePolicy takes it away.
func (s *Service) DeleteLifecyclePolicy(ctx context.Context, in *ecr.DeleteLifecyclePolicyInput) (*ecr.DeleteLifecyclePolicyOutput, error) {
	var text string
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		if text = r.Lifecycle; text == "" {
			return &types.LifecyclePolicyNotFoundException{Message: s.noPolicy("Lifecycle policy", r.Name)}
		}
		r.Lifecycle = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteLifecyclePolicyOutput{RegistryId: &s.Place.AccountID, RepositoryName: &r.Name, LifecyclePolicyText: &text}, nil
}

// Run applies lifecycle policies, now and once an hour, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	turn := time.NewTicker(time.Hour)
	defer turn.Stop()
	for {
		if err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("ecr: lifecycle policies can't be applied", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-turn.C:
		}
	}
}

// Expire applies all lifecycle policies.
func (s *Service) Expire(ctx context.Context) error {
	now := s.Now().UTC()
	for name, r := range s.repositories.List("") {
		if r.Lifecycle == "" {
			continue
		}
		l, err := parseLifecycle(r.Lifecycle)
		if err != nil {
			return err
		}
		gone := l.expired(s.all(of(name, "")), now)
		for _, i := range gone {
			_, err := s.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: &name, ImageIds: []types.ImageIdentifier{{ImageDigest: &i.Digest}}})
			if err != nil {
				return err
			}
			s.Log.Info("ecr: an image has expired", "repository", name, "digest", i.Digest, "tags", i.Tags)
		}
		if _, err := s.change(ctx, nil, &name, func(r *Repository) error { r.Evaluated = now; return nil }); err != nil {
			return err
		}
	}
	return nil
}
