package iam

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy/cases"
	"github.com/eksact/eksact/internal/hint"
)

// asked is a call not yet made, as the command line has it.
type asked struct {
	principal, role, id string
	action, resource    string
	owner               string
	context, tags       []string
	live                bool
	files               policyFiles
}

func newExplain(g *global.Options) *cobra.Command {
	var a asked
	cmd := &cobra.Command{
		Use:   "explain [ID] | --principal ARN --action SERVICE:ACTION --resource ARN",
		Short: "Tell what each layer of policies says about a call, and why",
		Long: `Tell why a call was refused: the one with the authorization id or request id ID,
or the last one. An answer's header x-amzn-authorization-id and eksact trail show
the id. The daemon knows the newest refusals since it started, with the policies and
condition keys that decided them then.

  eksact iam explain

Or decide a call not yet made, by policies in files, and tell what each layer says:
the statements that match, with file and line, and of the others which of their
parts does not. With files, neither a daemon nor root is needed.

A file holds one policy, JSON or YAML; the ARN of an AWS managed policy stands for
its document. --identity and --session may be given several times, and take a folder
for all policies in it. --scp and --rcp are given once for each level, from the
organization's root down to the account; a level is a file, several with commas
between, or a folder.

  eksact iam explain --principal arn:aws:iam::111122223333:role/app \
    --action s3:GetObject --resource arn:aws:s3:::data/x --context aws:SourceIp=10.0.0.1 \
    --identity app.json --scp scp/root --scp scp/account.json

Without files it is decided by the policies of the account that runs here: those of
the user or role, its groups and boundary, and the trust policy of a role that it
would assume. With --live, files add to these: a session's policy, a new one to be
tried, control policies.

The principal is the ARN of a user, a role, a session or an account's root; or
anonymous, a service (ec2.amazonaws.com) or a provider of identities. Its keys
(aws:PrincipalArn, aws:username and so on) are set; aws:CurrentTime and what else a
request brings along is given by --context.

It ends with 0 whatever was decided, and with 3 when the question can't be asked.
Names that AWS doesn't have, of actions and condition keys, are warned of on
standard error, and with -o json in warnings.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			given := described(cmd)
			switch {
			case len(given) == 0:
				return explainDenial(cmd, g, args)
			case len(args) > 0:
				return hint.New(fmt.Sprintf("%s names a call that was refused, and --%s describes one not yet made", quoted(args), given[0]), "leave out one of them")
			}
			return a.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), g)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.principal, "principal", "", "who would call")
	f.StringVar(&a.role, "role", "", "ARN of the role of a session, when it has a path; of the user of a federated one")
	f.StringVar(&a.id, "principal-id", "", "unique id of the user or role, where policies name it (AIDA…, AROA…)")
	f.StringArrayVar(&a.tags, "principal-tag", nil, "KEY=VALUE of the principal; several times")
	f.StringVar(&a.action, "action", "", "what it would do, as in s3:GetObject")
	f.StringVar(&a.resource, "resource", "", `ARN of what it would be done to, or "*"; needed if the action has resources`)
	f.StringVar(&a.owner, "owner", "", "account of the resource, when its ARN does not say")
	f.StringArrayVar(&a.context, "context", nil, "KEY=VALUE of the request; several times, also for one key")
	f.BoolVar(&a.live, "live", false, "beside the files, ask the account that runs here")
	a.files.addTo(f)
	return cmd
}

// described are the flags given that describe a call.
func described(cmd *cobra.Command) (names []string) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			names = append(names, f.Name)
		}
	})
	return names
}

func (a *asked) run(ctx context.Context, w, notes io.Writer, g *global.Options) error {
	q, err := a.question()
	if err != nil {
		return err
	}
	var account *details
	if a.live || a.files.none() {
		account, err = readAccount(ctx, g)
		switch {
		case err != nil && !a.live:
			return hint.Wrap(fmt.Errorf("no policies are given, and %w", err), "name their files with --identity, --boundary, --session, --scp, --rcp, --resource-policy, --trust-policy, --key-policy or --endpoint-policy")
		case err != nil:
			return err
		}
		if err := account.fill(ctx, q); err != nil {
			return err
		}
	}
	e := q.Explain()
	if account != nil {
		e.Account, e.StateDir = account.account, account.stateDir
	}
	e.Warnings = doubts(q)
	warn(notes, e.Warnings)
	if g.JSON() {
		return global.Print(w, e)
	}
	showExplanation(w, "", e)
	if account != nil {
		fmt.Fprintf(w, "asked: account %s in %s\n", e.Account, e.StateDir)
	}
	return nil
}

// question puts together what is asked.
func (a *asked) question() (*cases.Question, error) {
	const form = "eksact iam explain --help shows how a call is described"
	tags, err := pairs("--principal-tag", a.tags)
	if err != nil {
		return nil, err
	}
	q := &cases.Question{Action: a.action, Resource: a.resource, Owner: a.owner}
	switch {
	case a.principal == "":
		return nil, hint.New("no principal is given", "say who would call with --principal; "+form)
	case a.action == "":
		return nil, hint.New("no action is given", "say what would be called with --action; "+form)
	case a.resource == "":
		if q.Resource, err = resourceOf(a.action); err != nil {
			return nil, err
		}
	}
	if q.Principal, err = cases.NewPrincipal(a.principal, a.id, a.role, single(tags)); err != nil {
		return nil, hint.Wrap(err, form)
	}
	given, err := pairs("--context", a.context)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		for _, value := range given[key] {
			if err := cases.CheckValue(key, value); err != nil {
				return nil, hint.Wrap(fmt.Errorf("--context: %w", err), form)
			}
		}
	}
	q.Context = cases.NewContext(given)
	if err := q.Check(); err != nil {
		return nil, hint.Wrap(err, form)
	}
	return q, a.files.load(&q.Layers)
}

// resourceOf is the resource of an action that has none: of others, one must be
// said, for what is decided of "*" is not what the call will meet.
func resourceOf(action string) (string, error) {
	t, known := actions.Look(action)
	if t == nil || len(known.Resources) == 0 {
		return "*", nil
	}
	lines := []string{"say what it is done to with --resource ARN, or --resource '*' to ask about a right on all"}
	for _, use := range known.Resources {
		r := t.Resources[use.Type]
		lines = append(lines, r.Name+": "+r.ARN)
	}
	return "", hint.New(action+" is decided by its resource, and none is given", lines...)
}

// pairs reads KEY=VALUE, where a key may come several times.
func pairs(flag string, list []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, item := range list {
		key, value, ok := strings.Cut(item, "=")
		if !ok || key == "" {
			return nil, hint.New(fmt.Sprintf("%s %q has no =", flag, item), "say "+flag+" KEY=VALUE")
		}
		out[key] = append(out[key], value)
	}
	return out, nil
}

// single are pairs of which the last value counts.
func single(m map[string][]string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v[len(v)-1]
	}
	return out
}
