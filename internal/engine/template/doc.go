// Package template reads CloudFormation templates and evaluates them.
//
//	t, err := template.Parse(text)                  // YAML or JSON; AWS's sentences
//	err = spec.Check(t)                             // types, attributes
//	values, err := t.Values(given, previous, look)  // parameters
//	s, err := t.In(env)                             // conditions are decided
//	err = s.CheckRules(look)
//	graph, err := s.Graph()                         // what needs what; cycles
//	properties, err := s.Properties(resource, made) // what isn't known yet is Unknown
//
// An Expr is a part of a template with its place in the text; short forms of YAML
// become their long ones when they are read. Values are nil, bool, json.Number,
// string, []any, map[string]any and Unknown. An Environment is all that a template
// is evaluated against, so the same one gives the same result again.
//
// Functions follow CloudFormation where its users can see it: the branch of an If
// that is not taken is not evaluated, AWS::NoValue removes a property or an item of a
// list, an empty CommaDelimitedList is a list of one empty string, dynamic references
// ({{resolve:ssm:…}}) stay in the values until a resource is made (ResolveDynamic).
// What evaluation produces is bounded, and so it ends whatever a template says.
//
// The package is pure: values in, values out. What must be asked of others (SSM
// parameters, whether a VPC exists) comes as functions.
package template
