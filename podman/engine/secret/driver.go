package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// driver keeps the data of secrets by their IDs.
type driver interface {
	store(id string, data []byte) error
	lookup(id string) ([]byte, error)
	delete(id string) error
}

// options completes a driver's options with its defaults.
func (s *Store) options(driver string, given map[string]string) map[string]string {
	all := map[string]string{}
	if driver == "file" {
		all["path"] = filepath.Join(s.dir, "filedriver")
	}
	for key, value := range given {
		all[key] = value
	}
	return all
}

func openDriver(name string, options map[string]string) (driver, error) {
	known := map[string][]string{"file": {"path"}, "pass": {"root", "key", "gpghomedir"}, "shell": {"list", "lookup", "store", "delete"}}[name]
	if known == nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid driver")
	}
	for key := range options {
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+key+" ") {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid option %q of secret driver %s: it knows %s", key, name, strings.Join(known, ", "))
		}
	}
	switch name {
	case "shell":
		for _, key := range known {
			if options[key] == "" {
				return nil, errdef.Newf(errdef.ErrInvalid, "missing config value: secret driver shell needs the option %s", key)
			}
		}
		return shellDriver(options), nil
	case "pass":
		if options["key"] == "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "missing config value: secret driver pass needs the option key")
		}
		return newPassDriver(options), nil
	}
	return fileDriver(options["path"]), nil
}

// fileDriver keeps all data in one file, in base64, that only its owner reads.
type fileDriver string

func (d fileDriver) file() string { return filepath.Join(string(d), "secretsdata.json") }

// change reads the file, lets do change it, and writes it where it did.
func (d fileDriver) change(do func(all map[string][]byte) (changed bool, err error)) error {
	return locked(filepath.Join(string(d), "secretsdata.lock"), func() error {
		all := map[string][]byte{}
		if err := readJSON(d.file(), &all); err != nil {
			return err
		}
		changed, err := do(all)
		if err != nil || !changed {
			return err
		}
		return writeJSON(d.file(), all)
	})
}

func (d fileDriver) store(id string, data []byte) error {
	return d.change(func(all map[string][]byte) (bool, error) {
		if _, taken := all[id]; taken {
			return false, errdef.Newf(errdef.ErrConflict, "%s: secret data with ID already exists", id)
		}
		all[id] = data
		return true, nil
	})
}

func (d fileDriver) lookup(id string) ([]byte, error) {
	all := map[string][]byte{}
	if err := readJSON(d.file(), &all); err != nil {
		return nil, err
	}
	data, ok := all[id]
	if !ok {
		return nil, errdef.Newf(errdef.ErrNotFound, "%s: no secret data with ID", id)
	}
	return data, nil
}

func (d fileDriver) delete(id string) error {
	return d.change(func(all map[string][]byte) (bool, error) {
		if _, ok := all[id]; !ok {
			return false, errdef.Newf(errdef.ErrNotFound, "%s: no secret data with ID", id)
		}
		delete(all, id)
		return true, nil
	})
}

// shellDriver runs the commands of its options; SECRET_ID tells them which
// secret is meant, the data comes and goes by their standard streams.
type shellDriver map[string]string

func (d shellDriver) run(what, id string, data []byte) ([]byte, error) {
	cmd := exec.Command("/bin/sh", "-c", d[what])
	cmd.Env = append(os.Environ(), "SECRET_ID="+id)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(data), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run the %s command of secret driver shell: %w", what, err)
	}
	if len(out) >= MaxSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "the %s command of secret driver shell wrote more than %d bytes", what, MaxSize)
	}
	return out, nil
}

func (d shellDriver) store(id string, data []byte) error {
	_, err := d.run("store", id, data)
	return err
}

func (d shellDriver) lookup(id string) ([]byte, error) { return d.run("lookup", id, nil) }

func (d shellDriver) delete(id string) error {
	_, err := d.run("delete", id, nil)
	return err
}

// passDriver keeps each secret in a file that gpg has encrypted, as the
// program pass does.
type passDriver struct{ root, key, home string }

func newPassDriver(options map[string]string) passDriver {
	d := passDriver{root: options["root"], key: options["key"], home: options["gpghomedir"]}
	if d.root == "" {
		d.root = os.Getenv("PASSWORD_STORE_DIR")
	}
	if d.root == "" {
		d.root = filepath.Join(os.Getenv("HOME"), ".password-store")
	}
	return d
}

func (d passDriver) file(id string) string { return filepath.Join(d.root, filepath.Base(id)+".gpg") }

func (d passDriver) gpg(data []byte, args ...string) ([]byte, error) {
	if d.home != "" {
		args = append([]string{"--homedir", d.home}, args...)
	}
	cmd := exec.Command("gpg", append([]string{"--batch", "--quiet"}, args...)...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(data), os.Stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errdef.Newf(errdef.ErrUnsupported, "secret driver pass needs the program gpg: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("run gpg: %w", err)
	}
	return out, nil
}

func (d passDriver) store(id string, data []byte) error {
	if err := os.MkdirAll(d.root, 0o700); err != nil {
		return err
	}
	out, err := d.gpg(data, "--encrypt", "--recipient", d.key)
	if err != nil {
		return err
	}
	return os.WriteFile(d.file(id), out, 0o600)
}

func (d passDriver) lookup(id string) ([]byte, error) {
	if _, err := os.Stat(d.file(id)); errors.Is(err, fs.ErrNotExist) {
		return nil, errdef.Newf(errdef.ErrNotFound, "%s: no secret data with ID", id)
	}
	return d.gpg(nil, "--decrypt", d.file(id))
}

func (d passDriver) delete(id string) error {
	err := os.Remove(d.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return errdef.Newf(errdef.ErrNotFound, "%s: no secret data with ID", id)
	}
	return err
}
