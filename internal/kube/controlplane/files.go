package controlplane

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/template"
	"time"

	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/kube/pki"
)

//go:embed config/*.yaml
var configFiles embed.FS

// Prepare makes what the components read: certificates and configuration files.
// It is idempotent; files that say the same already are left alone.
func (c Config) Prepare(now time.Time) (*pki.Bundle, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	bundle, err := c.Certificates(now)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	for _, dir := range []string{"config", "logs"} {
		if err := os.MkdirAll(c.path(dir), 0o700); err != nil {
			return nil, err
		}
	}
	files, err := c.render(bundle)
	if err != nil {
		return nil, err
	}
	// In order: a file is there before another that names it is read anew.
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := files[name]
		path := c.path("config", name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
			continue
		}
		if err := renameio.WriteFile(path, data, 0o600); err != nil {
			return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
		}
	}
	return bundle, nil
}

// render fills in the configuration files, by name.
func (c Config) render(bundle *pki.Bundle) (map[string][]byte, error) {
	set, err := template.New("").Option("missingkey=error").ParseFS(configFiles, "config/*.yaml")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, t := range set.Templates() {
		switch t.Name() {
		case "kubeconfig.yaml", "webhook.yaml", "":
			continue
		}
		if files[t.Name()], err = execute(t, map[string]any{
			"EncryptionKey":        bundle.EncryptionKey(),
			"AuthorizationWebhook": c.file("authorization-webhook.yaml"),
		}); err != nil {
			return nil, err
		}
	}
	for name, path := range map[string]string{"token-webhook.yaml": "/authenticate", "authorization-webhook.yaml": "/authorize"} {
		if files[name], err = execute(set.Lookup("webhook.yaml"), map[string]any{
			"Webhook":       "https://" + c.Webhooks + path,
			"WebhookCA":     bundle.LoopbackCA,
			"WebhookClient": bundle.WebhookClient,
		}); err != nil {
			return nil, err
		}
	}
	for component, identity := range map[string]string{
		"controller-manager": bundle.ControllerManager, "scheduler": bundle.Scheduler,
	} {
		name := component + ".kubeconfig"
		if files[name], err = execute(set.Lookup("kubeconfig.yaml"), map[string]any{"CA": bundle.CA, "Client": identity}); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func execute(t *template.Template, data any) ([]byte, error) {
	var out bytes.Buffer
	err := t.Execute(&out, data)
	return out.Bytes(), err
}

// file is the path of a configuration file.
func (c Config) file(name string) string { return filepath.Join(c.path("config"), name) }
