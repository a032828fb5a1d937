package buildcmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/errdef"
)

// context sets the context directory, fetching it where it is elsewhere, and
// the files, which may be relative to it. remove takes away what was fetched.
func (o *buildFlags) context(ctx context.Context, args []string) (remove func(), err error) {
	remove = func() {}
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	if build.IsRemoteContext(dir) {
		fetched, taken, err := build.FetchContext(ctx, dir, os.Stdin, &o.req.Registry)
		if taken != nil {
			remove = taken
		}
		if err != nil {
			return remove, fmt.Errorf("prepare context: %w", err)
		}
		dir = fetched
	}
	info, err := os.Stat(dir)
	if err != nil {
		return remove, errdef.As(errdef.ErrNotFound, fmt.Errorf("discovering Containerfile: %w", err))
	}
	if !info.IsDir() {
		return remove, errdef.Newf(errdef.ErrInvalid, "context must be a directory: %q", dir)
	}
	if o.req.Context, err = filepath.Abs(dir); err != nil {
		return remove, err
	}
	for i, file := range o.req.Files {
		switch {
		case file == "-":
			data, err := io.ReadAll(io.LimitReader(os.Stdin, 16<<20))
			if err != nil {
				return remove, fmt.Errorf("read Containerfile from standard input: %w", err)
			}
			o.req.ReadContainer = string(data)
		case strings.HasPrefix(file, "http://") || strings.HasPrefix(file, "https://"):
			fetched, taken, err := build.FetchFile(ctx, file, &o.req.Registry)
			if err != nil {
				return remove, fmt.Errorf("fetch Containerfile: %w", err)
			}
			before := remove
			remove = func() { taken(); before() }
			o.req.Files[i] = fetched
		case !exists(file):
			o.req.Files[i] = filepath.Join(o.req.Context, file)
		}
	}
	return remove, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// parseSSH reads --ssh default|ID[=SOCKET|KEY[,KEY…]].
func parseSSH(in []string) (map[string]build.SSH, error) {
	all := map[string]build.SSH{}
	for _, text := range in {
		id, rest, _ := strings.Cut(text, "=")
		var s build.SSH
		for _, file := range strings.Split(rest, ",") {
			if file == "" {
				continue
			}
			info, err := os.Stat(file)
			if err != nil {
				return nil, err
			}
			if info.Mode()&os.ModeSocket == 0 {
				s.Keys = append(s.Keys, file)
				continue
			}
			if s.Socket != "" || len(s.Keys) > 0 {
				return nil, errdef.Newf(errdef.ErrInvalid, "--ssh %q: it takes either one socket or keys", text)
			}
			s.Socket = file
		}
		if s.Socket != "" && len(s.Keys) > 0 {
			return nil, errdef.Newf(errdef.ErrInvalid, "--ssh %q: it takes either one socket or keys", text)
		}
		if rest == "" {
			if s.Socket = os.Getenv("SSH_AUTH_SOCK"); s.Socket == "" {
				return nil, errdef.Newf(errdef.ErrInvalid, "--ssh %q: $SSH_AUTH_SOCK is not set in the environment", text)
			}
		}
		all[id] = s
	}
	return all, nil
}

// parseTTL reads --cache-ttl; 0 means that nothing is too old.
func parseTTL(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	ttl, err := time.ParseDuration(text)
	if err != nil || ttl < 0 {
		return 0, errdef.Newf(errdef.ErrInvalid, "unable to parse value provided %q as --cache-ttl: it must be a duration such as 24h", text)
	}
	if ttl == 0 {
		ttl = 1 // everything is too old
	}
	return ttl, nil
}
