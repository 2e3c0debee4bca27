package logs

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// paged cuts a page of up to 50 out of a list. A token names the last of the page
// before.
func paged[T any](all []T, limit *int32, token *string, key func(T) string) ([]T, *string, error) {
	return pagedTo(50, all, limit, token, key)
}

// pagedTo cuts a page of up to 50, or of as many as are asked for, up to most. Where the
// list is in the order of its keys, either way, a token holds also if what it names is gone:
// who deletes what a page has asks for the next one all the same.
func pagedTo[T any](largest int, all []T, limit *int32, token *string, key func(T) string) ([]T, *string, error) {
	most := 50
	if limit != nil {
		if most = int(*limit); most < 1 || most > largest {
			return nil, nil, invalid(fmt.Sprintf("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value between 1 and %d", largest))
		}
	}
	rest := all
	if token != nil {
		at, ok := following(all, *token, key)
		if !ok {
			return nil, nil, errToken
		}
		rest = all[at:]
	}
	if len(rest) <= most {
		return rest, nil, nil
	}
	text := key(rest[most-1])
	switch order := func(a, b T) int { return strings.Compare(key(a), key(b)) }; {
	case slices.IsSortedFunc(rest, order):
		text = upwards + text
	case slices.IsSortedFunc(rest, func(a, b T) int { return order(b, a) }):
		text = downwards + text
	default:
		text = unordered + text
	}
	return rest[:most], aws.String(base64.StdEncoding.EncodeToString([]byte(text))), nil
}

// How tokens begin: they say which way the list goes.
const (
	upwards   = "up "
	downwards = "down "
	unordered = "at "
)

// following is where a list goes on behind what a token names.
func following[T any](all []T, token string, key func(T) string) (at int, ok bool) {
	text, err := base64.StdEncoding.DecodeString(token)
	way, last, ok := strings.Cut(string(text), " ")
	way += " "
	if err != nil || !ok || way != upwards && way != downwards && way != unordered {
		return 0, false
	}
	if at = slices.IndexFunc(all, func(v T) bool { return key(v) == last }); at >= 0 {
		return at + 1, true
	}
	switch way {
	case upwards:
		at = slices.IndexFunc(all, func(v T) bool { return key(v) > last })
	case downwards:
		at = slices.IndexFunc(all, func(v T) bool { return key(v) < last })
	default:
		return 0, false
	}
	if at < 0 {
		at = len(all)
	}
	return at, true
}
