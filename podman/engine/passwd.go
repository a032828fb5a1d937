package engine

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// setUsers keeps what the container's passwd and group files get.
func setUsers(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	c.NoPasswd, c.PasswdEntry, c.GroupEntry, c.HostUsers = req.NoPasswd, req.PasswdEntry, req.GroupEntry, req.HostUsers
	for _, name := range c.HostUsers {
		if _, err := hostUser(name); err != nil {
			return err
		}
	}
	return nil
}

// hostUser finds a user of the host's, who has to be in its files.
func hostUser(name string) (rootfs.User, error) {
	u, err := rootfs.LookupUser("/", name)
	if err == nil && u.Name == "" {
		err = errdef.ErrNotFound
	}
	if err != nil {
		return u, errdef.Newf(errdef.ErrNotFound, "add the host's user: unknown user %s", name)
	}
	return u, nil
}

// prepareUser finds whom the process runs as, and has the container's own
// passwd and group files know them, with the host's users that were asked for.
func (e *Engine) prepareUser(c *container.Config, root string) (*processUser, error) {
	var lines string
	for _, name := range c.HostUsers {
		host, err := hostUser(name)
		if err != nil {
			return nil, err
		}
		if have, err := rootfs.LookupUser(root, strconv.Itoa(host.UID)); err == nil && have.Name != "" {
			continue
		}
		lines += fmt.Sprintf("%s:*:%d:%d:%s:%s:/bin/sh\n", host.Name, host.UID, host.GID, host.Name, c.WorkDir)
	}
	if err := e.addLines(c, root, "passwd", lines); err != nil {
		return nil, err
	}
	user, err := lookupUser(root, c.User, c.Groups)
	if err != nil {
		return nil, err
	}
	if user.Name == "" && user.UID != 0 && !c.NoPasswd {
		user.Name, user.Home = strconv.Itoa(int(user.UID)), c.WorkDir
		if err := e.addLines(c, root, "passwd", passwdLine(c, user)); err != nil {
			return nil, err
		}
		if c.PasswdEntry != "" { // which may know more of the user
			if asked, err := lookupUser(root, c.User, c.Groups); err == nil && asked.Name != "" {
				asked.Name = user.Name // as $USERLIST has it
				user = asked
			}
		}
	}
	_, group, _ := strings.Cut(c.User, ":")
	if gid, err := strconv.Atoi(group); err == nil {
		known, err := rootfs.HasGroup(root, gid)
		if err != nil || known {
			return user, err
		}
		return user, e.addLines(c, root, "group", groupLine(c, user, group))
	}
	return user, nil
}

// linkMtab gives programs that read /etc/mtab what is mounted, where the image
// has nothing there.
func (e *Engine) linkMtab(c *container.Config, root string) error {
	if c.Rootfs != "" {
		return nil
	}
	uid, gid, err := e.hostRoot(c)
	if err == nil {
		err = rootfs.Symlink(root, "/proc/mounts", "/etc/mtab", uid, gid)
	}
	if err != nil {
		return fmt.Errorf("link the container's /etc/mtab: %w", err)
	}
	return nil
}

// passwdLine is the user's line of /etc/passwd.
func passwdLine(c *container.Config, u *processUser) string {
	values := map[string]string{"USERNAME": u.Name, "UID": strconv.Itoa(int(u.UID)), "GID": strconv.Itoa(int(u.GID)), "NAME": "container user", "HOME": u.Home}
	return os.Expand(first(c.PasswdEntry, "$USERNAME:*:$UID:$GID:$NAME:$HOME:/bin/sh"), func(name string) string { return values[name] }) + "\n"
}

// groupLine is the group's line of /etc/group.
func groupLine(c *container.Config, u *processUser, gid string) string {
	values := map[string]string{"GROUPNAME": gid, "GID": gid, "USERLIST": first(u.Name, "root")}
	return os.Expand(first(c.GroupEntry, "$GROUPNAME:x:$GID:$USERLIST"), func(name string) string { return values[name] }) + "\n"
}

// addLines adds lines to a file in the container's /etc. What the user mounts
// is left alone.
func (e *Engine) addLines(c *container.Config, root, name, lines string) error {
	const limit = 1 << 20
	path := "/etc/" + name
	if lines == "" || c.NoPasswd || c.Rootfs != "" && c.Security.ReadOnly || slices.ContainsFunc(c.Mounts, func(m container.Mount) bool { return m.Destination == "/etc" || m.Destination == path }) {
		return nil
	}
	old, err := rootfs.ReadFile(root, path, limit)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("add to the container's %s: %w", path, err)
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		lines = "\n" + lines
	}
	uid, gid, err := e.hostRoot(c)
	if err == nil {
		err = rootfs.MkdirAll(root, "/etc", 0o755, uid, gid)
	}
	var f *os.File
	if err == nil {
		f, err = rootfs.OpenFile(root, path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	}
	if err == nil {
		if _, err = f.WriteString(lines); err == nil && len(old) == 0 {
			err = f.Chown(uid, gid)
		}
		f.Close()
	}
	if err != nil {
		return fmt.Errorf("add to the container's %s: %w", path, err)
	}
	return nil
}
