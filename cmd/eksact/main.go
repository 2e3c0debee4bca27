// Command eksact is the one program to install: Amazon EKS, security included,
// on one Linux machine.
package main

import (
	"os"

	"github.com/eksact/eksact/internal/cli"
	"github.com/eksact/eksact/internal/hint"
)

func main() {
	if err := cli.Root().Execute(); err != nil {
		hint.Print(os.Stderr, "eksact", err)
		os.Exit(3)
	}
}
