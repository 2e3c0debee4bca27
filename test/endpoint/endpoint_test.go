package endpoint

import (
	"testing"

	"github.com/eksact/eksact/test/lab"
)

func TestEndpoint(t *testing.T) {
	l := lab.Start(t)
	shell := l.Shell().AWS(t, "2")
	t.Run("add-ons", func(t *testing.T) { addons(t, shell) })
}
