package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

// WriteOutput gives write the standard output, or with a name the file of it,
// which appears when it is complete and not before.
func WriteOutput(name string, write func(io.Writer) error) error {
	if name == "" {
		if cliout.IsTerminal(os.Stdout) {
			return errdef.Newf(errdef.ErrInvalid, "refusing to export to terminal. Use -o flag or redirect")
		}
		return write(os.Stdout)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".podman-*")
	if err != nil {
		return fmt.Errorf("open %s: %w", name, errors.Unwrap(err))
	}
	err = write(tmp)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
