package monitor

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
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
// The run root would not do: distributions mount it noexec.
func InstallImage(dir string) (string, error) {
	program, err := image.ReadFile("image/monitor")
	if err != nil {
		return "", nil
	}
	path := filepath.Join(dir, "podman-monitor-"+imageVersion(program))
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(program)) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("install the monitor: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".monitor-*")
	if err != nil {
		return "", fmt.Errorf("install the monitor: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(program)
	if err == nil {
		err = tmp.Chmod(0o755)
	}
	if err = firstOf(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("install the monitor: %w", err)
	}
	return path, nil
}

// imageVersion hashes the head and the tail, where the Go linker puts the
// build ID and what else differs from build to build: a whole hash would cost
// a millisecond at every start of a container.
func imageVersion(program []byte) string {
	const span = 16 << 10
	h := sha256.New()
	h.Write(program[:min(span, len(program))])
	h.Write(program[max(0, len(program)-span):])
	fmt.Fprint(h, len(program))
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
