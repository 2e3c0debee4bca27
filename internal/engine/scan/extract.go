package scan

import "strings"

// Apply takes a text apart into out, which has room for e.Columns() texts. It reports
// whether the text matches.
func (e Extract) Apply(text string, out []string) bool {
	if e.Regexp != nil {
		find := e.Find
		if find == nil {
			find = e.Regexp.FindStringSubmatchIndex
		}
		at := find(text)
		if at == nil {
			return false
		}
		for i, g := range e.Groups {
			out[i] = ""
			if from := at[2*g]; from >= 0 {
				out[i] = text[from:at[2*g+1]]
			}
		}
		return true
	}
	at := strings.Index(text, e.Glob[0])
	if at < 0 {
		return false
	}
	rest := text[at+len(e.Glob[0]):]
	for i, part := range e.Glob[1:] {
		end := len(rest)
		if part != "" || i < len(e.Glob)-2 {
			if end = strings.Index(rest, part); end < 0 {
				return false
			}
		}
		out[i] = rest[:end]
		rest = rest[min(len(rest), end+len(part)):]
	}
	return true
}
