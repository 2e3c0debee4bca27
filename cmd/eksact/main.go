// Command eksact is the one program to install: Amazon EKS, security included,
// on one Linux machine.
package main

import (
	"errors"
	"os"

	"github.com/eksact/eksact/internal/cli"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

func main() {
	err := cli.Run()
	var exit global.Exit
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil:
		hint.Print(os.Stderr, "eksact", err)
		os.Exit(3)
	}
}
