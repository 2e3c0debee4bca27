package template

// Quotas of a template, from
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const (
	// MaxBody is the size of a template that a call carries itself, in bytes.
	MaxBody = 51200

	maxTemplate    = 1 << 20 // by URL
	maxDescription = 1024
	maxParameters  = 200
	maxResources   = 500
	maxOutputs     = 200
	maxMappings    = 200
	maxConditions  = 500 // no quota of AWS's
	maxRules       = 500 // no quota of AWS's
	maxName        = 255
	maxValue       = 4096 // bytes of a parameter's value

	// maxWork bounds what evaluating one expression may produce, in bytes: nested Subs
	// could otherwise grow beyond any memory.
	maxWork = 8 << 20
)
