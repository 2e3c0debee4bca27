package lab

import (
	"regexp"
	"strings"
)

// asking matches the start of lines that only ask.
var asking = regexp.MustCompile(`^(` + strings.Join([]string{
	`kubectl (--context \S+ |-n \S+ |--namespace \S+ )*(get|describe|logs|top|wait|auth|rollout status) `,
	`kubectl exec \S+ (-n \S+ |--namespace \S+ )?-- (nslookup|wget|curl|getent|aws sts get-caller-identity|aws s3 ls)\b`,
	`aws [a-z0-9-]+ (describe|list|get|lookup|head)-`,
	`aws s3 ls\b`,
	`(nslookup|getent|dig|curl) `,
}, "|") + `)`)

// changing matches what a line that starts so may still change or begin.
var changing = regexp.MustCompile(`&&|;|>|--watch|--follow| -f | -X| -d | --data| -T | --upload|xargs kubectl|get-(session|federation)-token|get-access-key`)

// asks tells whether a line only asks, so that it may be typed again.
func asks(line string) bool {
	return asking.MatchString(line) && !changing.MatchString(line)
}
