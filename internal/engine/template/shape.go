package template

// shape checks what can be known of a call's arguments before it is evaluated.
func (t *Template) shape(e *Expr) error {
	arg := &e.Items[0]
	list := func(least, most int) bool {
		return arg.Kind == List && len(arg.Items) >= least && len(arg.Items) <= most
	}
	wrong := func(text string) error { return templateError(e.Pos, "%s", text) }
	switch e.Fn {
	case "Ref":
		if arg.Kind != String {
			return wrong("every Ref object must have a single String value.")
		}
	case "Condition":
		if arg.Kind != String {
			return wrong("every Condition member must be a string.")
		}
	case "Fn::GetAtt":
		if _, _, ok := getAtt(arg); !ok {
			return wrong("every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
		}
	case "Fn::Sub":
		text, _, ok := subArguments(arg)
		if !ok {
			return wrong("One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, " +
				"and an optional second argument to specify a mapping of values to replace in the string")
		}
		if _, bad := parseSub(text.Text); bad != "" {
			return wrong("variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons")
		}
	case "Fn::If":
		if !list(3, 3) || arg.Items[0].Kind != String {
			return wrong("Fn::If requires a list argument with three elements")
		}
	case "Fn::Join":
		if !list(2, 2) || arg.Items[0].Kind != String || arg.Items[1].Kind != List && arg.Items[1].Kind != Call {
			return wrong("every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined " +
				"or a function that returns a list of strings (such as Fn::GetAZs) to be joined.")
		}
	case "Fn::Split":
		if !list(2, 2) || arg.Items[0].Kind != String {
			return wrong("every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split " +
				"or a function that returns a string to be split.")
		}
	case "Fn::Select":
		if !list(2, 2) {
			return wrong("Fn::Select requires a list argument with two elements: an integer index and a list")
		}
	case "Fn::FindInMap":
		if !list(3, 3) {
			return wrong("every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")
		}
		if name := &arg.Items[0]; name.Kind == String {
			if _, found := t.mappings[name.Text]; !found {
				return templateError(e.Pos, "Mapping named '%s' is not present in the 'Mappings' section of template.", name.Text)
			}
		}
	case "Fn::Cidr":
		if !list(2, 3) {
			return wrong("every Fn::Cidr object requires two parameters, (1) an IP block and (2) the number of CIDRs, and may have a third, the number of subnet bits.")
		}
	case "Fn::Equals":
		if !list(2, 2) {
			return wrong("every Fn::Equals object requires a list of 2 string parameters.")
		}
	case "Fn::And", "Fn::Or":
		if !list(2, 10) {
			return wrong("every " + e.Fn + " object requires a list of at least 2 and at most 10 boolean parameters.")
		}
	case "Fn::Not":
		if !list(1, 1) {
			return wrong("every Fn::Not object requires a list of one boolean parameter.")
		}
	case "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::ValueOf", "Fn::ValueOfAll":
		if !list(2, 2) {
			return wrong("every " + e.Fn + " object requires two parameters.")
		}
	case "Fn::RefAll":
		if arg.Kind != String {
			return wrong("every Fn::RefAll object requires a parameter type.")
		}
	}
	return nil
}
