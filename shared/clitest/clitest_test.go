package clitest_test

import (
	"testing"

	"github.com/podsuite/podsuite/shared/clitest"
)

// The harness itself, without the programs it is for.
func TestHarness(t *testing.T) {
	t.Setenv("PODSUITE_BIN", t.TempDir())
	clitest.Run(t, "testdata")
}
