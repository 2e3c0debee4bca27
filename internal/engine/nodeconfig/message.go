package nodeconfig

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/mail"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// mediaType is that of a part that is a NodeConfig.
const mediaType = "application/node.eks.aws"

// mostData is the most that EC2 takes, in bytes.
const mostData = 16 << 10

// boundary is that of the messages that Message writes.
const boundary = "//"

// documents are the NodeConfigs of user data: the one that it is, or the parts of a
// MIME message. Other parts are for programs that nodes here don't have.
func documents(data []byte) ([][]byte, error) {
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(trimmed) == 0:
		return nil, nil
	case bytes.HasPrefix(trimmed, []byte("#!")), bytes.HasPrefix(trimmed, []byte("#cloud-config")):
		return nil, errors.New("the user data is a script or a cloud-config: eksact's nodes run none")
	case bytes.HasPrefix(trimmed, []byte{0x1f, 0x8b}):
		return nil, errors.New("compressed user data is not supported by eksact")
	case !bytes.HasPrefix(bytes.ToLower(trimmed), []byte("mime-version:")) && !bytes.HasPrefix(bytes.ToLower(trimmed), []byte("content-type:")):
		return [][]byte{data}, nil
	}
	// Clients that print it may have ended the header's lines with nothing before them. Lines
	// end as in mail, as eksctl writes them, or as in Unix.
	m, err := mail.ReadMessage(bytes.NewReader(append(bytes.ReplaceAll(trimmed, []byte("\r\n"), []byte("\n")), '\n')))
	if err != nil {
		return nil, fmt.Errorf("the user data is no MIME message: %w", err)
	}
	kind, parameters, _ := strings.Cut(m.Header.Get("Content-Type"), ";")
	limit, ok := boundaryIn(parameters)
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "multipart/") || !ok {
		return nil, fmt.Errorf("the user data is a message of type %q, not multipart", m.Header.Get("Content-Type"))
	}
	return parts(multipart.NewReader(m.Body, limit))
}

// boundaryIn reads the boundary among a type's parameters. Generators write // without
// quotation marks, which RFC 2045 wants and cloud-init doesn't.
func boundaryIn(parameters string) (string, bool) {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if value = strings.Trim(value, `"`); strings.EqualFold(name, "boundary") && value != "" {
			return value, true
		}
	}
	return "", false
}

func parts(r *multipart.Reader) (found [][]byte, err error) {
	for {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("a part of the user data can't be read: %w", err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if kind != mediaType {
			return nil, fmt.Errorf("a part of the user data is of type %q: eksact's nodes know %s alone", p.Header.Get("Content-Type"), mediaType)
		}
		body, err := io.ReadAll(io.LimitReader(p, mostData+1))
		if err != nil {
			return nil, fmt.Errorf("a part of the user data can't be read: %w", err)
		}
		found = append(found, body)
	}
}

// Message writes user data that Parse reads as c, as EKS writes that of its nodes.
func Message(c Config) ([]byte, error) {
	d := document{APIVersion: Version, Kind: Kind}
	d.Spec.Cluster.Name, d.Spec.Cluster.APIServerEndpoint = c.Cluster, c.Endpoint
	d.Spec.Cluster.CertificateAuthority = base64.StdEncoding.EncodeToString(c.CA)
	if c.ServiceCIDR.IsValid() {
		d.Spec.Cluster.CIDR = c.ServiceCIDR.String()
	}
	settings := map[string]any{}
	if c.MaxPods > 0 {
		settings["maxPods"] = c.MaxPods
	}
	if c.ClusterDNS.IsValid() {
		settings["clusterDNS"] = []string{c.ClusterDNS.String()}
	}
	d.Spec.Kubelet.Config = settings
	var labels, taints []string
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		labels = append(labels, key+"="+c.Labels[key])
	}
	for _, t := range c.Taints {
		taints = append(taints, t.String())
	}
	if len(labels) > 0 {
		d.Spec.Kubelet.Flags = append(d.Spec.Kubelet.Flags, "--node-labels="+strings.Join(labels, ","))
	}
	if len(taints) > 0 {
		d.Spec.Kubelet.Flags = append(d.Spec.Kubelet.Flags, "--register-with-taints="+strings.Join(taints, ","))
	}
	text, err := yaml.Marshal(d)
	if err != nil {
		return nil, err
	}
	return Join(text), nil
}

// Join makes one message of NodeConfig documents.
func Join(documents ...[]byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=%q\n", boundary)
	for _, d := range documents {
		fmt.Fprintf(&b, "\n--%s\nContent-Type: %s\n\n---\n%s", boundary, mediaType, d)
	}
	fmt.Fprintf(&b, "\n--%s--\n", boundary)
	return b.Bytes()
}

// Merge lays the documents of one user data over those of another: what a launch
// template says counts more than what EKS says of the nodes of a node group.
func Merge(under, over []byte) ([]byte, error) {
	first, err := documents(under)
	if err != nil {
		return nil, err
	}
	last, err := documents(over)
	if err != nil {
		return nil, err
	}
	all := append(first, last...)
	for i, d := range all {
		all[i] = append(bytes.TrimPrefix(bytes.TrimSpace(d), []byte("---\n")), '\n')
	}
	return Join(all...), nil
}
