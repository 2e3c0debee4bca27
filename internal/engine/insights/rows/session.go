package rows

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// DefaultSpan is how long a session may pause unless the query says otherwise, in
// milliseconds.
const DefaultSpan = 30 * 60_000

// Sessions gives each row the name of its session: rows with the same values in all key
// columns, none more than span milliseconds after the one before it, in whatever order
// they come. The name is 16 hexadecimal digits, of the values and the session's
// beginning: the same session has it in another query, too. A row without a time, or
// without one of the keys, is of no session.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Sessionize.html
func Sessions(keys [][]value.Value, times []value.Value, span int64) []value.Value {
	type member struct {
		row int
		at  int64
	}
	groups := map[string][]member{}
	for row, t := range times {
		at, ok := t.Milliseconds()
		key, whole := joined(keys, row)
		if ok && whole {
			groups[key] = append(groups[key], member{row, at})
		}
	}
	out := make([]value.Value, len(times))
	for key, members := range groups {
		slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.at, b.at) })
		var name value.Value
		for i, m := range members {
			if i == 0 || m.at-members[i-1].at > span {
				sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(key), uint64(m.at)))
				name = value.OfText(hex.EncodeToString(sum[:8]))
			}
			out[m.row] = name
		}
	}
	return out
}

// joined is a row's keys as one text; false if one is null.
func joined(keys [][]value.Value, row int) (string, bool) {
	var b []byte
	for _, k := range keys {
		if k[row].IsNull() {
			return "", false
		}
		s := k[row].String()
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return string(b), true
}
