package imds

import (
	"encoding/json"
	"runtime"
	"strings"
)

// document is the instance identity document.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
func (i *Instance) document() string {
	var image any
	if i.AMI != "" {
		image = i.AMI
	}
	return object(
		member{"accountId", i.Account}, member{"architecture", architecture()}, member{"availabilityZone", i.Zone},
		member{"billingProducts", nil}, member{"devpayProductCodes", nil}, member{"marketplaceProductCodes", nil},
		member{"imageId", image}, member{"instanceId", i.ID}, member{"instanceType", i.Type}, member{"kernelId", nil},
		member{"pendingTime", stamp(i.Launched)}, member{"privateIp", i.Addr.String()}, member{"ramdiskId", nil},
		member{"region", i.Region}, member{"version", "2017-09-30"},
	)
}

// architecture is this machine's, whatever the instance's type: programs go by it.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// member is a name with its value, a string or nil.
type member struct {
	name  string
	value any
}

// object is JSON in the service's own layout, which is what is signed:
//
//	{
//	  "name" : "value",
//	  "other" : null
//	}
func object(members ...member) string {
	var all []string
	for _, m := range members {
		value, _ := json.Marshal(m.value) // a string or nil
		all = append(all, "  \""+m.name+"\" : "+string(value))
	}
	return "{\n" + strings.Join(all, ",\n") + "\n}"
}
