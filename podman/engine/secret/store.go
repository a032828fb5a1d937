package secret

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// MaxSize bounds a secret's data; it must be shorter.
const MaxSize = 512000

// Secret is what is told of a secret; its data lies with the driver.
type Secret struct {
	Name          string            `json:"name"`
	ID            string            `json:"id"`
	Labels        map[string]string `json:"labels,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	CreatedAt     time.Time         `json:"createdAt"`
	UpdatedAt     time.Time         `json:"updatedAt"`
	Driver        string            `json:"driver"`
	DriverOptions map[string]string `json:"driverOptions"`
}

// Store is a directory of secrets.
type Store struct{ dir string }

// Open names the directory, which is made with the first secret.
func Open(dir string) *Store { return &Store{dir} }

// database is the file secrets.json.
type database struct {
	Secrets  map[string]Secret `json:"secrets"`
	NameToID map[string]string `json:"nameToID"`
	IDToName map[string]string `json:"idToName"`
}

// CreateOptions say how a secret is kept.
type CreateOptions struct {
	Driver        string            // file, pass or shell
	DriverOptions map[string]string // see the drivers
	Labels        map[string]string
	Replace       bool // a secret of the name gets new data
	Ignore        bool // a secret of the name is as good
}

// Create keeps a secret and returns it.
func (s *Store) Create(name string, data []byte, o CreateOptions) (Secret, error) {
	if err := checkName(name); err != nil {
		return Secret{}, err
	}
	if len(data) == 0 || len(data) >= MaxSize {
		return Secret{}, errdef.Newf(errdef.ErrInvalid, "secret data must be larger than 0 and less than %d bytes", MaxSize)
	}
	options := s.options(o.Driver, o.DriverOptions)
	driver, err := openDriver(o.Driver, options)
	if err != nil {
		return Secret{}, err
	}
	var made, replaced Secret
	err = s.change(func(db *database) error {
		now := time.Now().UTC()
		made = Secret{Name: name, ID: newID(db), Labels: o.Labels, CreatedAt: now, UpdatedAt: now, Driver: o.Driver, DriverOptions: options}
		old, taken := db.Secrets[db.NameToID[name]]
		switch {
		case taken && o.Ignore:
			made = old
			return nil
		case taken && !o.Replace:
			return errdef.Newf(errdef.ErrConflict, "%s: secret name in use", name)
		case taken:
			made.CreatedAt = old.CreatedAt
		}
		if err := driver.store(made.ID, data); err != nil {
			return fmt.Errorf("creating secret %s: %w", name, err)
		}
		if taken {
			// Until the database says otherwise the old one is the secret.
			db.drop(old)
			replaced = old
		}
		db.add(made)
		return nil
	})
	if err == nil && replaced.ID != "" {
		err = s.deleteData(replaced)
	}
	return made, err
}

// checkName refuses what can't be a secret's name.
func checkName(name string) error {
	const longest = 253
	if name == "" || len(name) > longest || strings.ContainsAny(name, "=/,\x00") {
		return errdef.Newf(errdef.ErrInvalid, "secret name %q can not include '=', '/', ',', or the '\\0' (NULL) and be between 1 and 253 characters: invalid secret name", name)
	}
	return nil
}

// newID makes an ID of 25 hexadecimal digits that begins with no other's
// name, and is none.
func newID(db *database) string {
	for {
		var b [13]byte
		rand.Read(b[:])
		id := hex.EncodeToString(b[:])[:25]
		if _, taken := db.Secrets[id]; !taken {
			return id
		}
	}
}

func (db *database) add(s Secret) {
	db.Secrets[s.ID], db.NameToID[s.Name], db.IDToName[s.ID] = s, s.ID, s.Name
}

func (db *database) drop(s Secret) {
	delete(db.Secrets, s.ID)
	delete(db.NameToID, s.Name)
	delete(db.IDToName, s.ID)
}

// find looks a secret up by its name, ID or the beginning of its ID.
func (db *database) find(nameOrID string) (Secret, error) {
	if s, ok := db.Secrets[db.NameToID[nameOrID]]; ok {
		return s, nil
	}
	var found []Secret
	for id, s := range db.Secrets {
		if id == nameOrID {
			return s, nil
		}
		if nameOrID != "" && strings.HasPrefix(id, nameOrID) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return Secret{}, errdef.Newf(errdef.ErrNotFound, "no secret with name or id %q: no such secret", nameOrID)
	case 1:
		return found[0], nil
	}
	return Secret{}, errdef.Newf(errdef.ErrConflict, "more than one secret with the ID prefix %q: more than one result", nameOrID)
}

// Find looks a secret up by its name, ID or the beginning of its ID.
func (s *Store) Find(nameOrID string) (Secret, error) {
	db, err := s.read()
	if err != nil {
		return Secret{}, err
	}
	return db.find(nameOrID)
}

// List lists the secrets by name.
func (s *Store) List() ([]Secret, error) {
	db, err := s.read()
	if err != nil {
		return nil, err
	}
	all := make([]Secret, 0, len(db.Secrets))
	for _, one := range db.Secrets {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Secret) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Data reads a secret's data.
func (s *Store) Data(one Secret) ([]byte, error) {
	driver, err := openDriver(one.Driver, one.DriverOptions)
	if err != nil {
		return nil, err
	}
	data, err := driver.lookup(one.ID)
	if err != nil {
		return nil, fmt.Errorf("read secret %s: %w", one.Name, err)
	}
	return data, nil
}

// Remove forgets a secret. Its data goes last: what is left of a removal that
// is cut off is nobody's.
func (s *Store) Remove(nameOrID string) (Secret, error) {
	var gone Secret
	err := s.change(func(db *database) (err error) {
		if gone, err = db.find(nameOrID); err != nil {
			return err
		}
		db.drop(gone)
		return nil
	})
	if err != nil {
		return gone, err
	}
	return gone, s.deleteData(gone)
}

func (s *Store) deleteData(one Secret) error {
	driver, err := openDriver(one.Driver, one.DriverOptions)
	if err == nil {
		err = driver.delete(one.ID)
	}
	if err != nil && !errors.Is(err, errdef.ErrNotFound) {
		return fmt.Errorf("remove secret %s: %w", one.Name, err)
	}
	return nil
}

func (s *Store) file() string { return filepath.Join(s.dir, "secrets.json") }

func (s *Store) read() (*database, error) {
	db := &database{}
	if err := readJSON(s.file(), db); err != nil {
		return nil, err
	}
	if db.Secrets == nil {
		db.Secrets = map[string]Secret{}
	}
	if db.NameToID == nil {
		db.NameToID = map[string]string{}
	}
	if db.IDToName == nil {
		db.IDToName = map[string]string{}
	}
	return db, nil
}

// change reads the database, lets do change it, and writes it, locked.
func (s *Store) change(do func(*database) error) error {
	return locked(filepath.Join(s.dir, "secrets.lock"), func() error {
		db, err := s.read()
		if err != nil {
			return err
		}
		if err := do(db); err != nil {
			return err
		}
		return writeJSON(s.file(), db)
	})
}

// locked runs do with the lock file locked as the reference locks it.
func locked(path string, do func() error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("lock secrets: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("lock secrets: %w", err)
	}
	defer f.Close()
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	if err != nil {
		return fmt.Errorf("lock secrets: %w", err)
	}
	return do()
}

// readJSON reads a file into v; one that isn't there leaves v as it is.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file that only its owner may read.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
