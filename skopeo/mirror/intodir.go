package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
)

// intoDir copies the image into a directory beside its place, which then
// takes that of the image that was there: whoever looks, or loses power, has
// the old one or the new one.
func intoDir(ctx context.Context, j *job, o imgcopy.Options) error {
	path := j.to.Path
	replaces, err := isImageDir(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := incompletePath(path)
	res, err := imgcopy.Copy(ctx, ref.Location{Transport: ref.Dir, Path: tmp, Index: -1}, j.from, o)
	if err != nil {
		return err
	}
	if !replaces {
		err = os.Rename(tmp, path)
	} else if err = unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE); err == nil {
		err = os.RemoveAll(tmp)
	}
	if err != nil {
		return fmt.Errorf("put image into its place %q: %w", path, err)
	}
	j.digest = res.Digest()
	return nil
}

// isImageDir tells whether there is an image at the path. Anything else there
// is the user's, and an error.
func isImageDir(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(path, "version"))
	}
	if err != nil {
		return false, errdef.Newf(errdef.ErrConflict, "Refusing to overwrite destination directory %q: it is no image", path)
	}
	return true, nil
}
