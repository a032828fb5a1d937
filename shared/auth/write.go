package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// Set stores credentials for key, a registry or a namespace of one, in the
// file or in the helper that the file names for the registry.
func (s *Store) Set(ctx context.Context, key string, c Credentials) error {
	if helpers := s.externalHelpers(); len(helpers) > 0 {
		return helperStore(ctx, helpers[0], key, c)
	}
	return s.edit(func(f *authsFile, auths map[string]json.RawMessage) error {
		if h := f.CredHelpers[host(key)]; h != "" {
			return helperStore(ctx, h, key, c)
		}
		e := entry{Auth: base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password)), IdentityToken: c.IdentityToken}
		raw, err := json.Marshal(e)
		auths[s.fileKey(key)] = raw
		return err
	})
}

// Remove drops the credentials for key. If there were none it is an
// ErrNotFound error.
func (s *Store) Remove(ctx context.Context, key string) error {
	removed := false
	for _, h := range s.externalHelpers() {
		if c, err := helperGet(ctx, h, key); err == nil && !c.IsZero() {
			if err := helperErase(ctx, h, key); err != nil {
				return err
			}
			removed = true
		}
	}
	err := s.edit(func(f *authsFile, auths map[string]json.RawMessage) error {
		if h := f.CredHelpers[host(key)]; h != "" {
			removed = true
			return helperErase(ctx, h, key)
		}
		for k := range auths {
			if k == key || k == s.fileKey(key) || legacyHost(k) == normalHost(key) {
				delete(auths, k)
				removed = true
			}
		}
		return nil
	})
	if err == nil && !removed {
		return errdef.Newf(errdef.ErrNotFound, "not logged into %s", key)
	}
	return err
}

// RemoveAll drops every entry of the file.
func (s *Store) RemoveAll() error {
	return s.edit(func(f *authsFile, auths map[string]json.RawMessage) error {
		clear(auths)
		return nil
	})
}

// Keys lists the registries and namespaces that the file has entries for.
func (s *Store) Keys() ([]string, error) {
	f, err := readFile(s.path)
	if err != nil {
		return nil, err
	}
	var keys []string
	for k := range f.Auths {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys, nil
}

// fileKey is how the file spells key: Docker has a URL for its own registry.
func (s *Store) fileKey(key string) string {
	if s.docker && normalHost(key) == "docker.io" {
		return "https://index.docker.io/v1/"
	}
	return key
}

// edit changes the file under a lock and replaces it whole. What the file
// holds beside the entries stays as it is.
func (s *Store) edit(change func(*authsFile, map[string]json.RawMessage) error) error {
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	defer unlock()
	f, err := readFile(s.path)
	if err != nil {
		return err
	}
	all := map[string]json.RawMessage{}
	auths := map[string]json.RawMessage{}
	if data, err := readLimited(s.path); err == nil && len(data) > 0 {
		if err := json.Unmarshal(data, &all); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "parse credentials file %q: %w", s.path, err)
		}
		if len(all["auths"]) > 0 {
			if err := json.Unmarshal(all["auths"], &auths); err != nil {
				return errdef.Newf(errdef.ErrInvalid, "parse credentials file %q: %w", s.path, err)
			}
		}
	}
	if all == nil { // the file's text is null
		all = map[string]json.RawMessage{}
	}
	if auths == nil {
		auths = map[string]json.RawMessage{}
	}
	if err := change(f, auths); err != nil {
		return err
	}
	if all["auths"], err = json.Marshal(auths); err != nil {
		return err
	}
	data, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(s.path, data, 0o600); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	return nil
}

// lockDir keeps other writers of the directory's files out.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		d.Close()
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	return func() { d.Close() }, nil
}
