package monitor

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// image holds the lean monitor program, put there by `make build`. A plain
// `go build` goes without it, and the launcher itself runs the loop.
//
//go:embed all:image
var image embed.FS

// InstallImage makes sure that the lean image lies in dir, under a name made
// of its content, and returns its path; "" when this binary carries none.
// The run root would not do: distributions mount it noexec. Every start of a
// container comes here, so the image is read as a whole only to be written.
func InstallImage(dir string) (string, error) {
	program, err := image.Open("image/monitor")
	if err != nil {
		return "", nil
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return "", fmt.Errorf("install the monitor: %w", err)
	}
	path := filepath.Join(dir, "podman-monitor-"+imageVersion(program.(io.ReaderAt), info.Size()))
	if have, err := os.Stat(path); err == nil && have.Size() == info.Size() {
		return path, nil
	}
	if err := writeImage(path, program); err != nil {
		return "", fmt.Errorf("install the monitor: %w", err)
	}
	return path, nil
}

// writeImage writes the program beside path and renames it there.
func writeImage(path string, program io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".monitor-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, program)
	if err == nil {
		err = tmp.Chmod(0o755)
	}
	if err = firstOf(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// imageVersion hashes the head and the tail, where the Go linker puts the
// build ID and what else differs from build to build: a whole hash would cost
// a millisecond.
func imageVersion(program io.ReaderAt, size int64) string {
	const span = 16 << 10
	h := sha256.New()
	io.Copy(h, io.NewSectionReader(program, 0, span))
	io.Copy(h, io.NewSectionReader(program, max(0, size-span), span))
	fmt.Fprint(h, size)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
