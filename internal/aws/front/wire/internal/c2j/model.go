package c2j

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// model is one API model (service-2.json, also called C2J).
type Model struct {
	Metadata   Metadata              `json:"metadata"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
}

type Metadata struct {
	APIVersion     string          `json:"apiVersion"`
	EndpointPrefix string          `json:"endpointPrefix"`
	SigningName    string          `json:"signingName"`
	TargetPrefix   string          `json:"targetPrefix"`
	JSONVersion    string          `json:"jsonVersion"`
	Protocol       string          `json:"protocol"`
	Protocols      []string        `json:"protocols"`
	XMLNamespace   json.RawMessage `json:"xmlNamespace"`
	ServiceID      string          `json:"serviceId"`
}

type Operation struct {
	Name     string `json:"name"`
	AuthType string `json:"authtype"`
	HTTP     struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input  *Ref   `json:"input"`
	Output *Ref   `json:"output"`
	Errors []*Ref `json:"errors"`
}

// ref is the use of a shape: a member, a list's element, an input.
type Ref struct {
	Shape            string        `json:"shape"`
	Location         string        `json:"location"`
	LocationName     string        `json:"locationName"`
	QueryName        string        `json:"queryName"`
	ResultWrapper    string        `json:"resultWrapper"`
	Payload          string        `json:"payload"`
	Flattened        bool          `json:"flattened"`
	XMLAttribute     bool          `json:"xmlAttribute"`
	Streaming        bool          `json:"streaming"`
	IdempotencyToken bool          `json:"idempotencyToken"`
	JSONValue        bool          `json:"jsonvalue"`
	TimestampFormat  string        `json:"timestampFormat"`
	XMLNamespace     *XMLNamespace `json:"xmlNamespace"`

	GoName string // the Go field, where it is not the member's name capitalized
}

type XMLNamespace struct {
	Prefix string `json:"prefix"`
	URI    string `json:"uri"`
}

type Shape struct {
	Type            string     `json:"type"`
	Members         Members    `json:"members"`
	Required        []string   `json:"required"`
	Member          *Ref       `json:"member"`
	Key             *Ref       `json:"key"`
	Value           *Ref       `json:"value"`
	Min             *float64   `json:"min"`
	Max             *float64   `json:"max"`
	Pattern         string     `json:"pattern"`
	Enum            []string   `json:"enum"`
	Flattened       bool       `json:"flattened"`
	Sensitive       bool       `json:"sensitive"`
	Streaming       bool       `json:"streaming"`
	Union           bool       `json:"union"`
	EventStream     bool       `json:"eventstream"`
	Document        bool       `json:"document"`
	Payload         string     `json:"payload"`
	TimestampFormat string     `json:"timestampFormat"`
	LocationName    string     `json:"locationName"`
	Exception       bool       `json:"exception"`
	Fault           bool       `json:"fault"`
	Error           *ErrorInfo `json:"error"`
	XMLNamespace    *XMLNamespace
}

type ErrorInfo struct {
	Code           string `json:"code"`
	HTTPStatusCode int    `json:"httpStatusCode"`
	SenderFault    bool   `json:"senderFault"`
}

// members keeps the model's order, which is the order on the wire.
type Members struct {
	Names []string
	Refs  map[string]*Ref
}

func (m *Members) Add(name string, r *Ref) {
	if m.Refs == nil {
		m.Refs = map[string]*Ref{}
	}
	if _, ok := m.Refs[name]; !ok {
		m.Names = append(m.Names, name)
	}
	m.Refs[name] = r
}

func (m *Members) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		r := &Ref{}
		if err := dec.Decode(r); err != nil {
			return err
		}
		m.Add(t.(string), r)
	}
	return nil
}

// readModel finds the newest version of a service's model in a models folder.
func Read(folder, name string) (*Model, error) {
	for _, pattern := range []string{"service-2.json.gz", "service-2.json", "api-2.json"} {
		found, err := filepath.Glob(filepath.Join(folder, name, "*", pattern))
		if err != nil || len(found) == 0 {
			continue
		}
		sort.Strings(found) // versions are dates
		return decodeModel(found[len(found)-1])
	}
	return nil, fmt.Errorf("no model of %s under %s", name, folder)
}

func decodeModel(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	m := &Model{}
	if err := json.NewDecoder(r).Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
