package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/eksact/eksact/internal/aws/front/wire/internal/c2j"
)

// service is one table to write. ID names the Go SDK's folder, Model the
// folder of the API model.
type service struct{ ID, Model string }

var services = []service{
	{"iam", "iam"},
	{"sts", "sts"},
	{"eks", "eks"},
	{"ec2", "ec2"},
	{"elasticloadbalancingv2", "elbv2"},
	{"cloudwatchlogs", "logs"},
}

func main() {
	models := flag.String("models", "", "folder of the API models (botocore/data)")
	out := flag.String("out", ".", "package wire's folder")
	flag.Parse()
	if *models == "" {
		fmt.Fprintln(os.Stderr, "gen: -models is required; see the package comment")
		os.Exit(2)
	}
	if err := run(*models, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(models, out string) error {
	var unions []union
	for _, s := range services {
		m, err := c2j.Read(models, s.Model)
		if err != nil {
			return err
		}
		module := "github.com/aws/aws-sdk-go-v2/service/" + s.ID
		dir, err := moduleDir(module)
		if err != nil {
			return err
		}
		sdk, err := readSDK(dir)
		if err != nil {
			return err
		}
		report, err := complete(m, sdk)
		if err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
		c2j.Prune(m)
		file := filepath.Join(out, "tables", s.ID+".txt")
		text := c2j.Render(s.ID, m)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		unions = append(unions, sdk.unions(module)...)
		fmt.Printf("%s: %d operations, %d shapes, %d bytes; completed from the SDK: %d operations, %d shapes, %d members\n",
			file, len(m.Operations), len(m.Shapes), len(text), report.operations, report.shapes, report.members)
	}
	return writeUnions(filepath.Join(out, "zz_generated_unions.go"), unions)
}

func moduleDir(module string) (string, error) {
	b, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	return strings.TrimSpace(string(b)), nil
}
