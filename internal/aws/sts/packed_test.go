package sts_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"pgregory.net/rapid"
)

// load is what is passed to a session.
type load struct {
	actions, arns []string
	sid, space    string
	tags          map[string]string
}

func (l *load) policy() *string {
	if len(l.actions) == 0 {
		return nil
	}
	return aws.String(`{"Version":"2012-10-17",` + l.space + `"Statement":[{"Sid":"` + l.sid + `","Effect":"Allow","Action":["` + strings.Join(l.actions, `","`) + `"],"Resource":"*"}]}`)
}

func (l *load) policyARNs() (list []types.PolicyDescriptorType) {
	for _, a := range l.arns {
		list = append(list, *policyARN(a))
	}
	return list
}

func (l *load) list() (list []types.Tag) {
	for k, v := range l.tags {
		list = append(list, tag(k, v))
	}
	return list
}

// more adds something: a part, or characters to one.
func (l *load) more(t *rapid.T) {
	word := rapid.StringMatching(`[A-Za-z0-9]{1,8}`)
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		l.actions = append(l.actions, "s3:"+rapid.SampledFrom([]string{"GetObject", "Get*", "PutObject", "ListBucket", word.Draw(t, "action")}).Draw(t, "which"))
	case 1:
		l.sid += word.Draw(t, "sid")
	case 2:
		l.space += strings.Repeat(" ", rapid.IntRange(1, 9).Draw(t, "space"))
	case 3:
		if len(l.arns) < 3 {
			l.arns = append(l.arns, "arn:aws:iam::aws:policy/"+[]string{"ReadOnlyAccess", "AmazonS3ReadOnlyAccess", "AdministratorAccess"}[len(l.arns)])
		}
	case 4:
		l.tags[strings.ToLower(word.Draw(t, "key"))] += word.Draw(t, "value")
	case 5:
		for k := range l.tags {
			l.tags[k] += word.Draw(t, "value")
			break
		}
	}
}

// Whatever is added, in whichever call: the packed size never falls, and what was too
// large stays so.
func TestPackedSizesNeverFall(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "r", trusts("sts:AssumeRole,sts:TagSession", ""))
	web := a.role(t, "web", trustsProvider(idpARN, asWebIdentity+",sts:TagSession", ""))
	//lint:file-ignore SA1019 the packed size is what AWS's clients read
	calls := map[string]func(l *load) (*int32, error){
		"AssumeRole": func(l *load) (*int32, error) {
			out, err := a.sts.AssumeRole(a.admin, &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me"), Policy: l.policy(), PolicyArns: l.policyARNs(), Tags: l.list()})
			if err != nil {
				return nil, err
			}
			return out.PackedPolicySize, nil
		},
		"AssumeRoleWithWebIdentity": func(l *load) (*int32, error) {
			token := i.token(t, a.now, claims{"https://aws.amazon.com/tags": claims{"principal_tags": l.tags}})
			out, err := a.sts.AssumeRoleWithWebIdentity(stranger(t.Context()), &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &web, RoleSessionName: aws.String("me"), WebIdentityToken: token, Policy: l.policy(), PolicyArns: l.policyARNs()})
			if err != nil {
				return nil, err
			}
			return out.PackedPolicySize, nil
		},
		"GetFederationToken": func(l *load) (*int32, error) {
			out, err := a.sts.GetFederationToken(a.admin, &awssts.GetFederationTokenInput{Name: aws.String("me"), Policy: l.policy(), PolicyArns: l.policyARNs(), Tags: l.list()})
			if err != nil {
				return nil, err
			}
			return out.PackedPolicySize, nil
		},
	}
	rapid.Check(t, func(t *rapid.T) {
		call := rapid.SampledFrom([]string{"AssumeRole", "AssumeRoleWithWebIdentity", "GetFederationToken"}).Draw(t, "call")
		l := &load{tags: map[string]string{}}
		before, tooLarge := int32(0), false
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			l.more(t)
			if p := l.policy(); p != nil && len(*p) > 1800 { // another limit
				return
			}
			got, err := calls[call](l)
			switch {
			case err != nil && !strings.HasPrefix(err.Error(), "PackedPolicyTooLarge: Packed "):
				t.Fatal(err)
			case err != nil:
				tooLarge = true
			case tooLarge:
				t.Fatalf("%+v fits, and less did not", l)
			case aws.ToInt32(got) < before:
				t.Fatalf("%+v takes %d %%, and less took %d", l, *got, before)
			default:
				before = aws.ToInt32(got)
			}
		}
	})
}
