package iam

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/cases"
	"github.com/eksact/eksact/internal/hint"
)

// policyFiles are the files of every layer.
type policyFiles struct {
	identity, session    []string
	scp, rcp             []string // a level each
	boundary, endpoint   string
	resource, trust, key string
}

func (p *policyFiles) addTo(f *pflag.FlagSet) {
	f.StringArrayVar(&p.identity, "identity", nil, "policy of the user and its groups, or of the role; several times")
	f.StringVar(&p.boundary, "boundary", "", "permissions boundary")
	f.StringArrayVar(&p.session, "session", nil, "session policy; several times")
	f.StringArrayVar(&p.scp, "scp", nil, "service control policies of one level, from the root down; several times")
	f.StringArrayVar(&p.rcp, "rcp", nil, "resource control policies of one level, from the root down; several times")
	f.StringVar(&p.resource, "resource-policy", "", "policy of the resource")
	f.StringVar(&p.trust, "trust-policy", "", "trust policy of the role that is assumed")
	f.StringVar(&p.key, "key-policy", "", "policy of the KMS key")
	f.StringVar(&p.endpoint, "endpoint-policy", "", "policy of the VPC endpoint that the call comes through")
}

// none says that no file is named.
func (p *policyFiles) none() bool {
	return len(p.identity)+len(p.session)+len(p.scp)+len(p.rcp) == 0 && p.boundary+p.endpoint+p.resource+p.trust+p.key == ""
}

// load reads the files.
func (p *policyFiles) load(l *cases.Layers) (err error) {
	if l.Identity, err = readPolicies(policy.Inline, p.identity); err != nil {
		return err
	}
	if len(p.session) > 0 {
		if l.Session, err = readPolicies(policy.Session, p.session); err != nil {
			return err
		}
	}
	if l.SCP, err = readLevels(policy.Inline, p.scp); err != nil {
		return err
	}
	if l.RCP, err = readLevels(policy.Resource, p.rcp); err != nil {
		return err
	}
	resources := 0
	for _, one := range []struct {
		path string
		kind policy.Kind
		is   cases.ResourceKind
		into **cases.Policy
	}{
		{p.boundary, policy.Inline, 0, &l.Boundary},
		{p.endpoint, policy.Resource, 0, &l.Endpoint},
		{p.resource, policy.Resource, cases.PlainResource, &l.Resource},
		{p.trust, policy.Trust, cases.RoleTrust, &l.Resource},
		{p.key, policy.Resource, cases.KeyPolicy, &l.Resource},
	} {
		if one.path == "" {
			continue
		}
		if *one.into, err = readPolicy(one.kind, one.path); err != nil {
			return err
		}
		if one.into == &l.Resource {
			l.Kind = one.is
			resources++
		}
	}
	if resources > 1 {
		return hint.New("a resource has one policy", "give one of --resource-policy, --trust-policy and --key-policy")
	}
	return nil
}

// readLevels reads control policies: a level is one file, several with commas
// between, or a folder.
func readLevels(kind policy.Kind, levels []string) ([][]*cases.Policy, error) {
	var out [][]*cases.Policy
	for _, level := range levels {
		list, err := readPolicies(kind, strings.Split(level, ","))
		if err != nil {
			return nil, err
		}
		out = append(out, list)
	}
	return out, nil
}

// readPolicies reads files, and folders of them.
func readPolicies(kind policy.Kind, paths []string) ([]*cases.Policy, error) {
	list := []*cases.Policy{}
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			p, err := readPolicy(kind, file)
			if err != nil {
				return nil, err
			}
			list = append(list, p)
		}
	}
	return list, nil
}

func readPolicy(kind policy.Kind, path string) (*cases.Policy, error) {
	text, ok := iam.AWSPolicy(path)
	if !ok {
		var err error
		if text, err = readFile(path); err != nil {
			return nil, err
		}
	}
	p, err := cases.ParsePolicy(kind, path, text)
	if err != nil {
		return nil, hint.Wrap(err, "a file of this layer holds one policy, as IAM takes it, in JSON or YAML")
	}
	return p, nil
}

// filesOf are the policies of a folder, by name, or the file itself.
func filesOf(path string) ([]string, error) {
	if _, ok := iam.AWSPolicy(path); ok {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return []string{path}, nil // reading it says why not
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, global.Unreadable(path, err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".json", ".yaml", ".yml"}, filepath.Ext(e.Name())) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, hint.New("folder "+path+" has no policies", "they are files that end in .json, .yaml or .yml")
	}
	return files, nil
}
