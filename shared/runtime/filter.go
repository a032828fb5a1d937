package runtime

import (
	"errors"
	"fmt"
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

// filter gives the compiled program of a seccomp profile, and its file.
func (b *builtin) filter(s *specs.LinuxSeccomp) (program []byte, file string, err error) {
	if s == nil {
		return nil, "", nil
	}
	if file, err = filter.File(filepath.Join(b.root, filterCache), s); err != nil {
		return nil, "", err
	}
	program, err = filter.Read(file)
	return program, file, err
}

// keepFilter gives a container its filter, to last as long as itself.
func (b *builtin) keepFilter(id, cached string) error {
	own := filepath.Join(b.root, id, containerFilter)
	if os.Link(cached, own) == nil {
		return nil
	}
	data, err := os.ReadFile(cached)
	if err == nil {
		err = os.WriteFile(own, data, 0o600)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("store seccomp filter: %w", err), os.Remove(own))
	}
	return nil
}
