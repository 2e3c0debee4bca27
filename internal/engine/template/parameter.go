package template

import (
	"regexp"
	"strings"
)

// Parameter is a parameter as the template declares it.
type Parameter struct {
	Name        string
	Type        Type
	Description string
	// Default is nil where the parameter must be given.
	Default               *string
	NoEcho                bool
	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string
	// Bounds of length or value, as spelled; "" is none.
	MinLength, MaxLength, MinValue, MaxValue string

	pattern *regexp.Regexp
	pos     Pos
}

// Type is a parameter's type: String, Number, CommaDelimitedList, List<Number>,
// an AWS type such as AWS::EC2::VPC::Id, List<AWS type>, or
// AWS::SSM::Parameter::Value<type>.
type Type string

// Stored returns the type of the value that an SSM parameter holds, and whether the
// type is one of SSM parameters.
func (t Type) Stored() (Type, bool) {
	inner, found := strings.CutPrefix(string(t), "AWS::SSM::Parameter::Value<")
	if !found {
		return t, false
	}
	return Type(strings.TrimSuffix(inner, ">")), true
}

// IsList tells whether Ref gives a list.
func (t Type) IsList() bool {
	stored, _ := t.Stored()
	return stored == "CommaDelimitedList" || strings.HasPrefix(string(stored), "List<")
}

// Item is the type of one value.
func (t Type) Item() Type {
	stored, _ := t.Stored()
	if inner, found := strings.CutPrefix(string(stored), "List<"); found {
		return Type(strings.TrimSuffix(inner, ">"))
	}
	if stored == "CommaDelimitedList" {
		return "String"
	}
	return stored
}

// AWS tells whether values are names of things that must exist: AWS::EC2::VPC::Id.
func (t Type) AWS() bool { return strings.HasPrefix(string(t.Item()), "AWS::") }

// awsTypes are the AWS-specific parameter types, from
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
var awsTypes = map[Type]bool{
	"AWS::EC2::AvailabilityZone::Name": true, "AWS::EC2::Image::Id": true, "AWS::EC2::Instance::Id": true,
	"AWS::EC2::KeyPair::KeyName": true, "AWS::EC2::SecurityGroup::GroupName": true, "AWS::EC2::SecurityGroup::Id": true,
	"AWS::EC2::Subnet::Id": true, "AWS::EC2::Volume::Id": true, "AWS::EC2::VPC::Id": true, "AWS::Route53::HostedZone::Id": true,
}

func (t Type) known() bool {
	if t == "AWS::SSM::Parameter::Name" {
		return true
	}
	stored, ssm := t.Stored()
	if ssm && !strings.HasSuffix(string(t), ">") {
		return false
	}
	if strings.HasPrefix(string(stored), "List<") && !strings.HasSuffix(string(stored), ">") {
		return false
	}
	item := t.Item()
	if item == "String" {
		return stored == "String" || stored == "CommaDelimitedList" || ssm && stored == "List<String>"
	}
	return item == "Number" && !ssm || awsTypes[item]
}

func (t *Template) readParameters(e *Expr) error {
	t.parameters = map[string]int{}
	return members(e, "Parameters", "Parameter", maxParameters, func(name string, v *Expr) error {
		p, err := readParameter(name, v)
		if err != nil {
			return err
		}
		t.parameters[name] = len(t.Parameters)
		t.Parameters = append(t.Parameters, p)
		return nil
	})
}

func readParameter(name string, e *Expr) (Parameter, error) {
	p := Parameter{Name: name, pos: e.Pos}
	if e.Kind != Map {
		return p, formatError(e.Pos, "[/Parameters/%s] Every Parameters member must be an object.", name)
	}
	for i, key := range e.Keys {
		v := &e.Items[i]
		if key != "AllowedValues" && !v.scalar() {
			return p, formatError(v.Pos, "Every %s member must be a string.", key)
		}
		switch key {
		case "Type":
			p.Type = Type(v.Text)
		case "Description":
			if p.Description = v.Text; len(v.Text) > 4000 {
				return p, formatError(v.Pos, "'Description' length is greater than 4000.")
			}
		case "Default":
			p.Default = &v.Text
		case "NoEcho":
			p.NoEcho = strings.EqualFold(v.Text, "true")
		case "AllowedPattern":
			p.AllowedPattern = v.Text
		case "ConstraintDescription":
			p.ConstraintDescription = v.Text
		case "MinLength":
			p.MinLength = v.Text
		case "MaxLength":
			p.MaxLength = v.Text
		case "MinValue":
			p.MinValue = v.Text
		case "MaxValue":
			p.MaxValue = v.Text
		case "AllowedValues":
			if v.Kind != List {
				return p, formatError(v.Pos, "Every AllowedValues member must be a list.")
			}
			for j := range v.Items {
				if !v.Items[j].scalar() {
					return p, formatError(v.Pos, "Every AllowedValues value must be a string.")
				}
				p.AllowedValues = append(p.AllowedValues, v.Items[j].Text)
			}
		default:
			return p, plainError(v.Pos, "Invalid template parameter property '%s'", key)
		}
	}
	if p.Type == "" {
		return p, formatError(e.Pos, "Every Parameters object must contain a Type member.")
	}
	if !p.Type.known() {
		return p, formatError(e.Pos, "Unrecognized parameter type: %s", p.Type)
	}
	return p, p.readConstraints()
}

func (p *Parameter) readConstraints() error {
	for _, bound := range []string{p.MinLength, p.MaxLength, p.MinValue, p.MaxValue} {
		if _, ok := number(bound); bound != "" && !ok {
			return formatError(p.pos, "Parameter '%s': %s is not a number.", p.Name, bound)
		}
	}
	if p.AllowedPattern == "" {
		return nil
	}
	compiled, err := regexp.Compile(`^(?:` + p.AllowedPattern + `)$`)
	if err != nil {
		return &Error{
			Text:   "Template format error: AllowedPattern of parameter '" + p.Name + "' is not supported: " + p.AllowedPattern,
			Pos:    p.pos,
			Detail: "patterns are RE2's (no lookaround, no backreferences): " + err.Error(),
		}
	}
	p.pattern = compiled
	return nil
}
