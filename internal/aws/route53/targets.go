package route53

import "strings"

// balancerZones are the hosted zones that aliases to load balancers name, by the end
// of the balancer's name: of classic and application ones, and of network ones.
// https://docs.aws.amazon.com/general/latest/gr/elb.html
var balancerZones = map[string]string{
	"us-east-1.elb.amazonaws.com.":      "Z35SXDOTRQ7X7K",
	"us-east-2.elb.amazonaws.com.":      "Z3AADJGX6KTTL2",
	"us-west-1.elb.amazonaws.com.":      "Z368ELLRRE2KJ0",
	"us-west-2.elb.amazonaws.com.":      "Z1H1FL5HABSF5",
	"eu-central-1.elb.amazonaws.com.":   "Z215JYRZR1TBD5",
	"eu-west-1.elb.amazonaws.com.":      "Z32O12XQLNTSW2",
	"ap-northeast-1.elb.amazonaws.com.": "Z14GRHDCWA56QT",
	"ap-southeast-1.elb.amazonaws.com.": "Z1LMS91P8CMLE5",
	"ap-southeast-2.elb.amazonaws.com.": "Z1GM3OXH4ZPM65",
	"elb.us-east-1.amazonaws.com.":      "Z26RNL4JYFTOTI",
	"elb.us-east-2.amazonaws.com.":      "ZLMOA37VPKANP",
	"elb.us-west-1.amazonaws.com.":      "Z24FKFUX50B4VW",
	"elb.us-west-2.amazonaws.com.":      "Z18D5FSROUN65G",
	"elb.eu-central-1.amazonaws.com.":   "Z3F0SRJ5LGBH90",
	"elb.eu-west-1.amazonaws.com.":      "Z2IFOLAFXWLO4F",
	"elb.ap-northeast-1.amazonaws.com.": "Z31USIVHYNEOWT",
	"elb.ap-southeast-1.amazonaws.com.": "ZKVM4W9LS7TM",
	"elb.ap-southeast-2.amazonaws.com.": "ZCT6FZBF4DROD",
}

// isBalancer says whether a name is a load balancer's, and whether it lies in the zone.
// The console's names with dualstack. before them are the same. The zones of regions
// that the table lacks are not checked.
func (s *Service) isBalancer(name, zone string) (there, within bool) {
	_, end, _ := strings.Cut(strings.TrimPrefix(name, "dualstack."), ".")
	id, known := balancerZones[end]
	_, there = s.Balancer(strings.TrimPrefix(name, "dualstack."))
	return there, !known || id == zone
}
