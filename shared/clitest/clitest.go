package clitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// Run runs every script of dir as a parallel subtest. With CLITEST_CONTINUE set
// a script goes on after a line that failed, to show all that fail.
func Run(t *testing.T, dir string) {
	t.Helper()
	top := Top(t)
	h := &harness{
		t:    t,
		top:  top,
		bin:  binaries(t, top),
		base: baseTar(t, top),

		registries: map[string]*running{},
	}
	testscript.Run(t, testscript.Params{
		Dir:                dir,
		Setup:              h.setup,
		Condition:          h.condition,
		RequireUniqueNames: true,
		ContinueOnError:    os.Getenv("CLITEST_CONTINUE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":    cmdStatus,
			"tty":       cmdTTY,
			"retry":     cmdRetry,
			"registry":  h.cmdRegistry,
			"garbage":   cmdGarbage,
			"hostile":   cmdHostile,
			"insecure":  cmdInsecure,
			"oci-image": cmdOCIImage,
		},
	})
}

// harness is what the scripts of one Run share.
type harness struct {
	t    *testing.T
	top  string // source tree
	bin  string // the three programs
	base string // root file system of the base image
	user testUser

	mu         sync.Mutex
	registries map[string]*running // by work directory
}

func (h *harness) condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "user":
		_, err := h.user.get(h.t)
		return err == nil, nil
	case "pasta":
		_, err := exec.LookPath("pasta")
		tun, tunErr := os.Stat("/dev/net/tun")
		return err == nil && tunErr == nil && tun.Mode().Perm()&0o006 == 0o006, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// Top is the directory of go.work above the working directory.
func Top(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.work above the working directory")
	return ""
}

// binaries is the directory of the programs: $PODSUITE_BIN, which make test
// sets when it has just built them, or bin after a build.
func binaries(t *testing.T, top string) string {
	if dir := os.Getenv("PODSUITE_BIN"); dir != "" {
		return dir
	}
	defer lock(t, "build.lock")()
	build := exec.Command("make", "-s", "-C", top, "build")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return filepath.Join(top, "bin")
}

// lock keeps the other packages' tests out until the function it returns is
// called.
func lock(t *testing.T, name string) func() {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "podsuite")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

func baseTar(t *testing.T, top string) string {
	out := filepath.Join(t.TempDir(), "base.tar")
	if msg, err := exec.Command(filepath.Join(top, "hack/base-image"), out).CombinedOutput(); err != nil {
		t.Skipf("hack/base-image: %v: %s", err, strings.TrimSpace(string(msg)))
	}
	return out
}
