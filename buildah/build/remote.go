package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/fetch"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// maxDownload is the size of the largest file that is fetched, in bytes.
const maxDownload = 16 << 30

// remoteDir is a directory of the host's for what comes from elsewhere.
func remoteDir() (string, error) { return os.MkdirTemp(tempDir(), "buildah-fetched-") }

// tempDir is not on memory by default: what lies there may be large.
func tempDir() string {
	if dir := os.Getenv("TMPDIR"); dir != "" {
		return dir
	}
	return "/var/tmp"
}

// download fetches a file over HTTP into the directory and returns its name
// there. Its time is that of the server's file.
func download(ctx context.Context, where, dir, checksum string, r *registry.Options) (name string, err error) {
	u, err := url.Parse(where)
	if err != nil {
		return "", errdef.As(errdef.ErrInvalid, fmt.Errorf("fetch %q: %w", where, err))
	}
	if name = path.Base(u.Path); name == "/" || name == "." {
		name = "index"
	}
	o, err := fetchOptions(r)
	if err != nil {
		return "", err
	}
	file, err := fetch.Open(ctx, where, o)
	if err != nil {
		return "", err
	}
	defer file.Close()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(file, maxDownload+1))
	switch got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); {
	case err != nil:
		return "", fmt.Errorf("fetch %q: %w", where, err)
	case n > maxDownload:
		return "", errdef.Newf(errdef.ErrInvalid, "fetch %q: larger than %d bytes", where, int64(maxDownload))
	case checksum != "" && got != checksum:
		return "", errdef.Newf(errdef.ErrInvalid, "unexpected response digest for %q: %s, want %s", where, got, checksum)
	}
	modified := file.Modified
	if modified.IsZero() {
		modified = time.Unix(0, 0)
	}
	return name, os.Chtimes(f.Name(), modified, modified)
}

// fetchOptions are those of the registries, as far as they mean other servers.
func fetchOptions(r *registry.Options) (fetch.Options, error) {
	conf, err := r.TLS()
	return fetch.Options{TLS: conf, Retries: max(r.Retries, 0), RetryDelay: r.RetryDelay}, err
}

// clone fetches a git repository, "URL[#REF[:SUBDIRECTORY]]", into the
// directory and returns the part of it that is meant.
func clone(ctx context.Context, where, dir string, keepGit bool) (part string, err error) {
	where, fragment, _ := strings.Cut(where, "#")
	commit, sub, _ := strings.Cut(fragment, ":")
	if strings.HasPrefix(where, "github.com/") {
		where = "https://" + where
	}
	if strings.HasPrefix(commit, "-") || strings.HasPrefix(where, "-") {
		return "", errdef.Newf(errdef.ErrInvalid, "git repository %q: a name can't begin with '-'", where)
	}
	if commit == "" {
		commit = "HEAD"
	}
	for _, args := range [][]string{
		{"init", "-q", dir}, {"-C", dir, "remote", "add", "origin", where},
		{"-C", dir, "fetch", "-q", "--depth=1", "origin", commit}, {"-C", dir, "checkout", "-q", "FETCH_HEAD"},
		{"-C", dir, "submodule", "update", "-q", "--init", "--recursive", "--depth=1"},
	} {
		var complaint bytes.Buffer
		cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "protocol.ext.allow=never"}, args...)...)
		cmd.Env, cmd.Stderr = append(os.Environ(), "GIT_TERMINAL_PROMPT=0"), &complaint
		if err := cmd.Run(); err != nil {
			if errors.Is(err, exec.ErrNotFound) {
				return "", errdef.Newf(errdef.ErrUnsupported, "git repository %q: it takes the program git, which is not installed", where)
			}
			return "", fmt.Errorf("fetch git repository %q: %w: %s", where, err, strings.TrimSpace(complaint.String()))
		}
	}
	if !keepGit {
		if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
			return "", err
		}
	}
	return path.Clean("/" + sub), nil
}

// IsRemoteContext tells whether a context is to be fetched.
func IsRemoteContext(where string) bool {
	return where == "-" || dockerfile.IsGit(where) || fetch.IsURL(where)
}

// FetchContext gets a context that is a git repository, a URL or, for "-", in:
// an archive, or a Containerfile alone. URLs are fetched as fetchOptions says. remove takes the directory away.
func FetchContext(ctx context.Context, where string, in io.Reader, r *registry.Options) (dir string, remove func(), err error) {
	top, err := remoteDir()
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(top) }
	dir = filepath.Join(top, "context")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", remove, err
	}
	if dockerfile.IsGit(where) {
		part, err := clone(ctx, where, dir, false)
		if err != nil {
			return "", remove, err
		}
		// The repository may hold links out of it.
		dir, err = rootfs.ResolvePath(dir, part)
		return dir, remove, err
	}
	name := "input"
	if where != "-" {
		name, err = download(ctx, where, top, "", r)
	} else {
		err = spool(in, filepath.Join(top, name))
	}
	if err != nil {
		return "", remove, err
	}
	return dir, remove, unpackContext(ctx, top, name, dir)
}

// FetchFile gets a file of the web; remove takes it away.
func FetchFile(ctx context.Context, where string, r *registry.Options) (file string, remove func(), err error) {
	dir, err := remoteDir()
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	name, err := download(ctx, where, dir, "", r)
	if err != nil {
		remove()
		return "", nil, err
	}
	return filepath.Join(dir, name), remove, nil
}

func spool(in io.Reader, file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(in, maxDownload+1))
	if err == nil && n > maxDownload {
		err = errdef.Newf(errdef.ErrInvalid, "read context: larger than %d bytes", int64(maxDownload))
	}
	return err
}

// unpackContext unpacks an archive; what is none becomes the Containerfile.
func unpackContext(ctx context.Context, top, name, dir string) error {
	tree, err := fscopy.OpenTree(top, nil)
	if err != nil {
		return err
	}
	defer tree.Close()
	sources, err := tree.List([]string{name})
	if err != nil {
		return err
	}
	dest := "/Containerfile"
	if tree.IsArchive(&sources[0].Entries[0]) {
		dest = "/"
	}
	return tree.Copy(ctx, dir, sources, fscopy.Options{Dest: dest, Extract: true})
}
