// Package control is the daemon's own API, spoken over a unix socket by the
// command line: what runs, how far a start has come, what only the machine's
// owner may ask (the admin's keys, nodes, images).
//
// It is JSON over HTTP. An error comes with its hints, so that the command line
// prints what the daemon knew.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/eksact/eksact/internal/hint"
)

// Socket is the daemon's control socket in the run directory.
func Socket(runDir string) string { return filepath.Join(runDir, "eksact.sock") }

// Status is the whole of what runs.
type Status struct {
	Version    string    `json:"version"`
	Kubernetes string    `json:"kubernetes"`
	Account    string    `json:"account"`
	Region     string    `json:"region"`
	Endpoint   string    `json:"endpoint"` // of the AWS front door, on loopback
	StateDir   string    `json:"stateDir"`
	Started    time.Time `json:"started"`
	Processes  []Process `json:"processes"`
	Clusters   []Cluster `json:"clusters"`
}

// Process is one supervised program. Memory is its proportional set size in
// bytes, measured only when asked for.
type Process struct {
	Name     string    `json:"name"`
	Pid      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Restarts int       `json:"restarts"`
	LastExit string    `json:"lastExit,omitempty"`
	Memory   int64     `json:"memory,omitempty"`
}

// Cluster is an EKS cluster and its nodes.
type Cluster struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Version  string `json:"version"`
	Endpoint string `json:"endpoint"`
	Nodes    []Node `json:"nodes"`
	Issues   string `json:"issues,omitempty"` // of its health

	Nodegroups []Nodegroup `json:"nodegroups,omitempty"`
}

// Nodegroup is a managed node group.
type Nodegroup struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Desired int32  `json:"desired"` // nodes
	Issues  string `json:"issues,omitempty"`
}

// Node is an instance that is, or is to be, a node.
type Node struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Role    string `json:"role"`
	Ready   bool   `json:"ready"`
}

// Step is one part of a start, timed.
type Step struct {
	Name    string        `json:"name"`
	Started time.Time     `json:"started"`
	Took    time.Duration `json:"took"` // 0 while it runs
	Error   string        `json:"error,omitempty"`
}

// Credentials are the admin user's, or a session's of the root user.
type Credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken,omitempty"`
	ARN             string `json:"arn"`
}

// Attachment is a machine inside the VPC.
type Attachment struct {
	NetNS   string `json:"netns"`
	Address string `json:"address"`
	Name    string `json:"name"`
}

// Client speaks to the daemon.
type Client struct{ http *http.Client }

// Dial returns a client of the daemon behind a run directory. It connects when
// it is used.
func Dial(runDir string) *Client {
	path := Socket(runDir)
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Call posts in to a path and reads the answer into out; either may be nil.
func (c *Client) Call(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.Send(ctx, path, "application/json", bytes.NewReader(body), out)
}

// Send is Call with a body of any type, an image archive for one.
func (c *Client) Send(ctx context.Context, path, contentType string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://eksact"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return readError(resp.Status, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

type wireError struct {
	Error string   `json:"error"`
	Hints []string `json:"hints,omitempty"`
}

func readError(status string, data []byte) error {
	var e wireError
	if json.Unmarshal(data, &e) != nil || e.Error == "" {
		return fmt.Errorf("the daemon answers %s", status)
	}
	err := errors.New(e.Error)
	if len(e.Hints) > 0 {
		return hint.Wrap(err, e.Hints...)
	}
	return err
}

// Handle makes a typed function an HTTP handler.
func Handle[I, O any](fn func(context.Context, I) (O, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in I
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			WriteError(w, http.StatusBadRequest, err)
			return
		}
		out, err := fn(r.Context(), in)
		Answer(w, out, err)
	}
}

// Answer writes out, or err when there is one.
func Answer(w http.ResponseWriter, out any, err error) {
	if err != nil {
		WriteError(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// WriteError writes an error with its hints.
func WriteError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wireError{err.Error(), hint.Lines(err)})
}
