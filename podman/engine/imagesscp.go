package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/userns"
)

// ScpImageRequest copies an image between this store, other users' and those
// of other hosts.
type ScpImageRequest struct {
	Source      string // IMAGE or [HOST::]IMAGE
	Destination string // "" is this store, else HOST::
	Quiet       bool
	Progress    io.Writer // gets what the programs at both ends tell
}

// place is one end of the way: with neither user nor host it is this store.
type place struct {
	image    string
	user     string // of this machine
	host     string // [USER@]HOST
	port     string
	identity string // file of the key
}

// ScpImage copies an image and gives what the receiving end says of it. HOST is
// the name of a connection, USER@HOST[:PORT], or USER@localhost for the store
// of another user of this machine.
func (e *Engine) ScpImage(ctx context.Context, req ScpImageRequest) (string, error) {
	src, err := e.scpPlace(req.Source)
	if err != nil {
		return "", err
	}
	dst := place{}
	switch {
	case req.Destination != "":
		if !strings.Contains(req.Destination, "::") {
			return "", errdef.Newf(errdef.ErrInvalid, "the destination %q is no host: want HOST::, or USER@localhost::", req.Destination)
		}
		if dst, err = e.scpPlace(req.Destination); err != nil {
			return "", err
		}
		if dst.image != "" {
			return "", errdef.Newf(errdef.ErrUnsupported, "the destination %q names an image: copy the image under its own name, and tag it there", req.Destination)
		}
	case src.user == "" && src.host == "":
		return "", errdef.Newf(errdef.ErrInvalid, "must specify a destination: HOST::, or USER@localhost::")
	}
	if src.image == "" {
		return "", errdef.Newf(errdef.ErrInvalid, "the source %q names no image", req.Source)
	}
	if _, err := ref.Parse(src.image); err != nil && !ref.IsHex(src.image) {
		return "", fmt.Errorf("parsing reference %q: %w", src.image, err)
	}
	if src.user == "" && src.host == "" {
		// What isn't here needn't be asked for at the other end.
		if _, err := e.LookupImage(src.image); err != nil {
			return "", err
		}
	}
	save, load := []string{"save", src.image}, []string{"load"}
	if req.Quiet {
		save, load = []string{"save", "--quiet", src.image}, append(load, "--quiet")
	}
	from, err := e.scpCommand(ctx, src, save)
	if err != nil {
		return "", err
	}
	to, err := e.scpCommand(ctx, dst, load)
	if err != nil {
		return "", err
	}
	return pipeImage(from, to, req.Progress)
}

// pipeImage lets one program write into the other, which is started when there
// is something to read. What a program can't do it says itself.
func pipeImage(from, to *exec.Cmd, told io.Writer) (string, error) {
	var said bytes.Buffer
	from.Stderr, to.Stdout, to.Stderr = told, &said, told
	out, err := from.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := from.Start(); err != nil {
		return "", err
	}
	in := bufio.NewReaderSize(out, 256<<10)
	if _, err := in.Peek(1); err != nil {
		return "", failedEnd(from.Wait())
	}
	to.Stdin = in
	received := to.Run()
	out.Close() // so that a sender whose reader has gone ends, too
	sent := from.Wait()
	if received != nil {
		return said.String(), failedEnd(received)
	}
	return said.String(), failedEnd(sent)
}

// failedEnd is the error of a program that has said what is wrong.
func failedEnd(err error) error {
	exit := new(exec.ExitError)
	if errors.As(err, &exit) {
		return &errdef.Exit{Code: 125}
	}
	return err
}

// scpPlace reads [HOST::]IMAGE.
func (e *Engine) scpPlace(s string) (place, error) {
	host, image, ok := strings.Cut(s, "::")
	if !ok {
		return place{image: s}, nil
	}
	p := place{image: image}
	if known, ok := e.Config.Engine.ServiceDestinations[host]; ok {
		u, err := url.Parse(known.URI)
		if err != nil || u.Scheme != "ssh" {
			return p, errdef.Newf(errdef.ErrUnsupported, "the connection %q has the address %q: only ssh:// is possible here", host, known.URI)
		}
		p.host, p.port, p.identity = u.Hostname(), u.Port(), known.Identity
		if u.User != nil {
			p.host = u.User.Username() + "@" + p.host
		}
		return p, p.check(s)
	}
	name, machine, isUser := strings.Cut(host, "@")
	if isUser && (machine == "localhost" || machine == "127.0.0.1") {
		p.user = name
		return p, p.check(s)
	}
	u, err := url.Parse("ssh://" + host)
	if err != nil {
		return p, errdef.Newf(errdef.ErrInvalid, "invalid host %q: want USER@HOST[:PORT] or the name of a connection", host)
	}
	if p.host, p.port = u.Hostname(), u.Port(); u.User != nil {
		p.host = u.User.Username() + "@" + p.host
	}
	return p, p.check(s)
}

// check refuses names that a program would take for an option.
func (p place) check(s string) error {
	if p.host == "" && p.user == "" || strings.HasPrefix(p.host, "-") || strings.HasPrefix(p.user, "-") {
		return errdef.Newf(errdef.ErrInvalid, "invalid host in %q: want USER@HOST[:PORT] or the name of a connection", s)
	}
	return nil
}

// scpCommand makes the command line that runs podman at the place.
func (e *Engine) scpCommand(ctx context.Context, p place, args []string) (*exec.Cmd, error) {
	switch {
	case p.host != "":
		line := []string{"-T"}
		if p.port != "" {
			line = append(line, "-p", p.port)
		}
		if p.identity != "" {
			line = append(line, "-i", p.identity)
		}
		return program(ctx, "ssh", append(append(line, "--", p.host, "podman"), args...))
	case p.user == "":
		return exec.CommandContext(ctx, e.Self[0], append(e.Self[1:len(e.Self):len(e.Self)], args...)...), nil
	}
	return e.asUser(ctx, p.user, args)
}

// asUser runs podman on the store of another user of this machine.
func (e *Engine) asUser(ctx context.Context, name string, args []string) (*exec.Cmd, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrNotFound, "no user %q on this machine", name)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	if uid == userns.RealUID() {
		return e.scpCommand(ctx, place{}, args)
	}
	if userns.Rootless() {
		return program(ctx, "sudo", append([]string{"-n", "-H", "-u", name, "--", e.Self[0]}, args...))
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, e.Self[0], args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	cmd.Env = []string{"HOME=" + u.HomeDir, "USER=" + name, "LOGNAME=" + name, "PATH=" + os.Getenv("PATH")}
	if run := "/run/user/" + u.Uid; dirExists(run) {
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+run)
	}
	return cmd, nil
}

func dirExists(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// program is another program's command line, if it is installed.
func program(ctx context.Context, name string, args []string) (*exec.Cmd, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrUnsupported, "the program %q is needed to get there and isn't installed", name)
	}
	return exec.CommandContext(ctx, path, args...), nil
}
