//go:build ignore

// Command gen writes data/spec.txt from the npm package in which CDK's authors
// collect CloudFormation's registry schemas. It is run by hand, when the pinned
// version or the list of types changes:
//
//	go generate ./internal/engine/template/spec
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eksact/eksact/tools/npm"
)

// The pinned release, with npm's checksum of it.
const (
	version   = "0.1.216"
	integrity = "sha512-O3Lu6v6J6RnI+Eenklbw8237kV64cTpM94QEXmlcmsIAzhcKrdd+qApZhlTL+H3IDt1JP6Vphbd+OOmq6r8pqw=="
)

// kinds are the resource types that stacks here can have.
var kinds = strings.Fields(`
	AWS::IAM::Role AWS::IAM::InstanceProfile AWS::IAM::Policy AWS::IAM::ManagedPolicy AWS::IAM::OIDCProvider
	AWS::EKS::Cluster AWS::EKS::Nodegroup AWS::EKS::AccessEntry AWS::EKS::Addon AWS::EKS::PodIdentityAssociation
	AWS::S3::Bucket AWS::S3::BucketPolicy AWS::SSM::Parameter AWS::SNS::Topic AWS::SNS::TopicPolicy AWS::SNS::Subscription
	AWS::Logs::LogGroup AWS::Logs::MetricFilter AWS::CloudWatch::Alarm AWS::CloudWatch::CompositeAlarm AWS::ECR::Repository AWS::KMS::Key AWS::KMS::Alias
	AWS::EC2::VPC AWS::EC2::VPCCidrBlock AWS::EC2::Subnet AWS::EC2::SubnetCidrBlock AWS::EC2::RouteTable AWS::EC2::Route
	AWS::EC2::SubnetRouteTableAssociation AWS::EC2::InternetGateway AWS::EC2::EgressOnlyInternetGateway
	AWS::EC2::VPCGatewayAttachment AWS::EC2::NatGateway AWS::EC2::EIP AWS::EC2::VPCEndpoint AWS::EC2::PlacementGroup
	AWS::EC2::SecurityGroup AWS::EC2::SecurityGroupIngress AWS::EC2::SecurityGroupEgress
	AWS::EC2::LaunchTemplate AWS::AutoScaling::AutoScalingGroup
	AWS::SQS::Queue AWS::SQS::QueuePolicy AWS::Events::Rule`)

type database struct {
	Schema struct {
		Resource       struct{ Entities []resource }
		TypeDefinition struct{ Entities []definition }
	}
}

type resource struct {
	CloudFormationType string
	PrimaryIdentifier  []string
	Properties         map[string]property
	Attributes         map[string]property
	TagInformation     *struct{ TagPropertyName, Variant string }
}

type definition struct {
	ID         string `json:"$id"`
	Name       string
	Properties map[string]property
}

type property struct {
	Type              kind
	Required          bool
	CausesReplacement string
}

type kind struct {
	Type      string
	Element   *kind
	Types     []kind
	Reference struct {
		Ref string `json:"$ref"`
	}
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen DIRECTORY")
	}
	files, err := npm.Files("@aws-cdk/aws-service-spec", version, integrity)
	if err != nil {
		log.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(files["db.json.gz"]))
	if err != nil {
		log.Fatal(err)
	}
	var db database
	if err := json.NewDecoder(unzipped).Decode(&db); err != nil {
		log.Fatal(err)
	}
	w := writer{definitions: map[string]definition{}}
	for _, d := range db.Schema.TypeDefinition.Entities {
		w.definitions[d.ID] = d
	}
	fmt.Fprintf(&w.out, "# CloudFormation's resource types, from npm @aws-cdk/aws-service-spec %s (Apache-2.0, see LICENSE). Written by gen; doc.go explains it.\n", version)
	slices.Sort(kinds)
	for _, name := range kinds {
		i := slices.IndexFunc(db.Schema.Resource.Entities, func(r resource) bool { return r.CloudFormationType == name })
		if i < 0 {
			log.Fatalf("%s is not in the database", name)
		}
		w.resource(db.Schema.Resource.Entities[i])
	}
	for name, data := range map[string][]byte{"spec.txt": w.out.Bytes(), "LICENSE": files["LICENSE"]} {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), data, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// writer writes one type after the other. The definitions that a type uses follow
// it, named by their place among them.
type writer struct {
	out         bytes.Buffer
	definitions map[string]definition
	numbers     map[string]int
	queue       []string
}

func (w *writer) resource(r resource) {
	w.numbers, w.queue = map[string]int{}, nil
	tags := ""
	if t := r.TagInformation; t != nil {
		tags = t.Variant + ":" + t.TagPropertyName
	}
	fmt.Fprintf(&w.out, "T\t%s\t%s\t%s\n", r.CloudFormationType, strings.Join(r.PrimaryIdentifier, ","), tags)
	w.properties(r.Properties)
	for _, name := range slices.Sorted(maps.Keys(r.Attributes)) {
		fmt.Fprintf(&w.out, "A\t%s\t%s\n", name, w.kind(r.Attributes[name].Type))
	}
	for i := 0; i < len(w.queue); i++ {
		fmt.Fprintf(&w.out, "D\t%d\n", i)
		w.properties(w.definitions[w.queue[i]].Properties)
	}
}

func (w *writer) properties(properties map[string]property) {
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p := properties[name]
		flags := ""
		if p.Required {
			flags += "r"
		}
		switch p.CausesReplacement {
		case "yes":
			flags += "y"
		case "maybe":
			flags += "m"
		}
		fmt.Fprintf(&w.out, "P\t%s\t%s\t%s\n", name, flags, w.kind(p.Type))
	}
}

func (w *writer) kind(k kind) string {
	switch k.Type {
	case "string", "integer", "number", "boolean", "json":
		return k.Type[:1]
	case "date-time":
		return "s"
	case "tag":
		return "t"
	case "array":
		return "[" + w.kind(*k.Element)
	case "map":
		return "{" + w.kind(*k.Element)
	case "union":
		var parts []string
		for _, t := range k.Types {
			parts = append(parts, w.kind(t))
		}
		return "(" + strings.Join(parts, "|") + ")"
	case "ref":
		n, known := w.numbers[k.Reference.Ref]
		if !known {
			n = len(w.queue)
			w.numbers[k.Reference.Ref] = n
			w.queue = append(w.queue, k.Reference.Ref)
		}
		return fmt.Sprint(n)
	}
	log.Fatalf("unknown type %q", k.Type)
	return ""
}
