package lab

import (
	"regexp"
	"strings"
)

const (
	// flags are options with values, as in front of kubectl's commands.
	flags = `(--?[a-z-]+[= ]\S+ )*`
	// probes are what is carried out in a pod and only asks.
	probes = `((ba)?sh -c ['"])?(timeout \S+ )?(nslookup|wget|curl|getent|dig|nc|cat|hostname|aws sts get-caller-identity|aws s3 ls)\b`
)

// asking matches the start of commands that only ask.
var asking = regexp.MustCompile(`^([A-Z_]+=\S+ )*(nsenter --net=\S+ |inside |timeout \S+ )*(` + strings.Join([]string{
	`(eksact )?kubectl ` + flags + `(get|describe|logs|top|wait|auth|rollout status)\b`,
	`kubectl ` + flags + `exec ` + flags + `\S+ ` + flags + `-- ` + probes,
	`aws [a-z0-9-]+ ((describe|list|get|lookup|head|filter)-|wait\b)`,
	`aws s3 ls\b`,
	`aws eks update-kubeconfig\b`, // once more it says the same
	`(nslookup|getent|dig|curl)\b`,
	`true$`,
}, "|") + `)`)

// changing matches what a command that starts so may still change or begin.
var changing = regexp.MustCompile(`>|--watch|--follow| -f | -X| -d | --data| -T | --upload|--post|(xargs|\|) *(kubectl|aws|tee|sh|bash)\b|get-(session|federation)-token|get-access-key`)

// unheard is output that is thrown away or printed with the rest.
var unheard = regexp.MustCompile(`\d?>(/dev/null|&\d)`)

// joints are between the commands of a line. In a text they part it too: what is no command
// then does not ask.
var joints = regexp.MustCompile(`&&|\|\||;|\n`)

// asks tells whether a line only asks, so that it may be typed again.
func asks(line string) bool {
	for _, command := range joints.Split(unheard.ReplaceAllString(line, ""), -1) {
		if command = strings.TrimSpace(command); !asking.MatchString(command) || changing.MatchString(command) {
			return false
		}
	}
	return true
}

// unreached matches what is said of a line that did not get to where it was to be carried
// out: a pod whose node or whose container starts, a namespace that was just made.
var unreached = regexp.MustCompile(`error dialing backend|unable to upgrade connection|proxy error from|error looking up service account`)
