// Package e2e runs the scripts of podman's command line.
package e2e

import (
	"testing"

	"github.com/podsuite/podsuite/shared/clitest"
)

func TestScripts(t *testing.T) { clitest.Run(t, "testdata") }
