package eks

import (
	"encoding/base64"
	"encoding/json"
	"slices"
)

// maxPage is the largest page and the default.
const maxPage = 100

// token is what a nextToken says: which request it continues, and after what.
type token struct {
	Request string `json:"r"`
	After   string `json:"a"`
}

// page cuts sorted keys into pages. Request digests the parameters that must be
// the same on every page; a token of another request is refused.
func page(keys []string, request string, maxResults *int32, next *string) (cut []string, after *string, err error) {
	size := maxPage
	if maxResults != nil {
		size = int(*maxResults)
		if size < 1 || size > maxPage {
			return nil, nil, invalidParameter("", "maxResults must be between 1 and %d.", maxPage)
		}
	}
	if next != nil && *next != "" {
		t, err := readToken(*next)
		if err != nil || t.Request != request {
			return nil, nil, invalidParameter("", "The nextToken is not valid for this request.")
		}
		from, found := slices.BinarySearch(keys, t.After)
		if found {
			from++
		}
		keys = keys[from:]
	}
	if len(keys) <= size {
		return keys, nil, nil
	}
	s := writeToken(token{request, keys[size-1]})
	return keys[:size], &s, nil
}

func writeToken(t token) string {
	data, _ := json.Marshal(t) // two strings
	return base64.URLEncoding.EncodeToString(data)
}

func readToken(s string) (t token, err error) {
	data, err := base64.URLEncoding.DecodeString(s)
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(data, &t)
}
