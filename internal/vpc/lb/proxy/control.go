package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Run serves clients on l and takes configurations on control, beginning with the
// one in file, until l is closed.
func (p *Proxy) Run(l *net.TCPListener, control net.Listener, file string) error {
	if err := p.load(file); err != nil {
		return err
	}
	go func() { _ = http.Serve(control, p.control()) }()
	return p.Serve(l)
}

// load applies the configuration that was written last. None is no error.
func (p *Proxy) load(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	return p.Apply(c)
}

// control answers PUT /config with a Config in JSON: 204 once it is in force.
func (p *Proxy) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /config", func(w http.ResponseWriter, r *http.Request) {
		var c Config
		err := json.NewDecoder(r.Body).Decode(&c)
		if err == nil {
			err = p.Apply(c)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// Send applies a configuration to the proxy behind the control socket and
// returns when it is in force. data is the Config in JSON.
func Send(ctx context.Context, socket string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://proxy/config", strings.NewReader(string(data)))
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("the load balancers' proxy: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("the load balancers' proxy: %s", strings.TrimSpace(string(said)))
	}
	return nil
}
