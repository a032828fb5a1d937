package runtime

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

const (
	// filterCache is the directory of compiled filters in the state directory.
	filterCache = ".seccomp"
	// containerFilter is a container's own filter in its state directory, for
	// the processes that join it later.
	containerFilter = "seccomp.bpf"
)

// storedFilter gives the compiled filter of a specification; "" for one that
// the library has to compile itself.
func (b *builtin) storedFilter(spec *specs.Spec) (string, error) {
	if spec.Linux == nil || !filter.Eligible(spec.Linux.Seccomp) {
		return "", nil
	}
	return filter.File(filepath.Join(b.root, filterCache), spec.Linux.Seccomp)
}

// keepFilter gives a container its filter, to last as long as itself.
func (b *builtin) keepFilter(id, cached string) error {
	own := filepath.Join(b.root, id, containerFilter)
	if os.Link(cached, own) == nil {
		return nil
	}
	from, err := filter.Open(cached)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(own, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store seccomp filter: %w", err)
	}
	_, err = io.Copy(to, from)
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("store seccomp filter: %w", err)
	}
	return nil
}
