// Package login is what the login and logout commands of all programs do: it
// asks for a user name and a password, tries them with the registry and keeps
// them, or forgets them.
//
// It imports auth, registry, config, ref, errdef and a terminal library.
package login

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
)

// Request is one login.
type Request struct {
	Registry      string // or a namespace of one; "" is the first one to search
	AuthFile      string // "" = the default
	CompatFile    string // a file in Docker's format to write instead
	CertDir       string
	TLSVerify     *bool // nil: as registries.conf says
	Username      string
	Password      string
	PasswordStdin bool
	GetLogin      bool // only print who is logged in
	Verbose       bool
}

// maxInput bounds what is read as a user name or password, in bytes.
const maxInput = 64 << 10

// Run logs in. It asks on out and reads from in.
func Run(ctx context.Context, cfg *config.Config, r Request, in *os.File, out io.Writer) error {
	key, name, err := place(cfg, r.Registry)
	if err != nil {
		return err
	}
	files, err := open(cfg, r.AuthFile, r.CompatFile)
	if err != nil {
		return err
	}
	have, err := files.Lookup(ctx, key)
	if err != nil {
		return err
	}
	if r.GetLogin {
		if have.IsZero() {
			return notLoggedIn(key)
		}
		fmt.Fprintln(out, have.Username)
		return nil
	}
	check := func(c auth.Credentials) error {
		client, err := registry.Open(cfg, name, registry.Options{Credentials: &c, CertDir: r.CertDir, TLSVerify: r.TLSVerify})
		if err != nil {
			return err
		}
		defer client.Close()
		return client.CheckLogin(ctx)
	}
	if known, err := r.reuse(key, have, check, out); known || err != nil {
		return err
	}
	creds, err := r.ask(have, in, out)
	if err != nil {
		return fmt.Errorf("getting username and password: %w", err)
	}
	if err := check(creds); err != nil {
		if errors.Is(err, errdef.ErrDenied) {
			return fmt.Errorf("logging into %q: %w", key, err)
		}
		return fmt.Errorf("authenticating creds for %q: %w", key, err)
	}
	if err := files.Set(ctx, key, creds); err != nil {
		return err
	}
	if r.Verbose {
		fmt.Fprintf(out, "Used: %s\n", files.Path())
	}
	fmt.Fprintln(out, "Login Succeeded!")
	return nil
}

// reuse tries the credentials that are kept already, unless the user gave
// some.
func (r *Request) reuse(key string, have auth.Credentials, check func(auth.Credentials) error, out io.Writer) (bool, error) {
	if have.IsZero() || r.Username != "" || r.Password != "" || r.PasswordStdin {
		return false, nil
	}
	fmt.Fprintf(out, "Authenticating with existing credentials for %s\n", key)
	err := check(have)
	if err == nil {
		fmt.Fprintf(out, "Existing credentials are valid. Already logged in to %s\n", key)
		return true, nil
	}
	if !errors.Is(err, errdef.ErrDenied) {
		return false, fmt.Errorf("authenticating creds for %q: %w", key, err)
	}
	fmt.Fprintln(out, "Existing credentials are invalid, please enter valid username and password")
	return false, nil
}

// ask completes the credentials from in.
func (r *Request) ask(have auth.Credentials, in *os.File, out io.Writer) (auth.Credentials, error) {
	c := auth.Credentials{Username: r.Username, Password: r.Password}
	if r.PasswordStdin {
		switch {
		case r.Password != "":
			return c, errdef.Newf(errdef.ErrInvalid, "Can't specify both --password-stdin and --password")
		case r.Username == "":
			return c, errdef.Newf(errdef.ErrInvalid, "Must provide --username with --password-stdin")
		}
		data, err := io.ReadAll(io.LimitReader(in, maxInput))
		c.Password = strings.TrimRight(string(data), "\r\n")
		return c, err
	}
	lines := bufio.NewReader(io.LimitReader(in, maxInput))
	if c.Username == "" {
		prompt := "Username: "
		if have.Username != "" {
			prompt = fmt.Sprintf("Username (%s): ", have.Username)
		}
		fmt.Fprint(out, prompt)
		line, err := lines.ReadString('\n')
		if err != nil && line == "" {
			return c, fmt.Errorf("reading username: %w", err)
		}
		if c.Username = strings.TrimSpace(line); c.Username == "" {
			c.Username = have.Username
		}
	}
	if c.Password != "" {
		return c, nil
	}
	var err error
	if term.IsTerminal(int(in.Fd())) {
		c.Password, err = ReadPassword(out, in)
		return c, err
	}
	fmt.Fprint(out, "Password: ")
	line, err := lines.ReadString('\n')
	if err != nil && line == "" {
		return c, fmt.Errorf("reading password: %w", err)
	}
	fmt.Fprintln(out)
	c.Password = strings.TrimRight(line, "\r\n")
	return c, nil
}

// ReadPassword asks for a password on a terminal, without echo.
func ReadPassword(out io.Writer, in *os.File) (string, error) {
	fmt.Fprint(out, "Password: ")
	data, err := term.ReadPassword(int(in.Fd()))
	if err != nil {
		return "", fmt.Errorf("could not read password from terminal: %w", err)
	}
	fmt.Fprintln(out)
	return string(data), nil
}

// Out logs out of a registry, or of all.
func Out(ctx context.Context, cfg *config.Config, key string, all bool, authFile, compatFile string, out io.Writer) error {
	files, err := open(cfg, authFile, compatFile)
	if err != nil {
		return err
	}
	if all {
		if err := files.RemoveAll(); err != nil {
			return err
		}
		fmt.Fprintln(out, "Removed login credentials for all registries")
		return nil
	}
	if key, _, err = place(cfg, key); err != nil {
		return err
	}
	err = files.Remove(ctx, key)
	if errors.Is(err, errdef.ErrNotFound) {
		return notLoggedIn(key)
	}
	if err == nil {
		fmt.Fprintf(out, "Removed login credentials for %s\n", key)
	}
	return err
}

func notLoggedIn(key string) error {
	return errdef.Newf(errdef.ErrNotFound, "not logged into %s", key)
}

// place reads the registry, or the namespace of one, that credentials are for.
func place(cfg *config.Config, arg string) (key string, name ref.Name, err error) {
	if arg == "" {
		regs, err := cfg.Registries()
		if err != nil {
			return "", name, err
		}
		if len(regs.UnqualifiedSearch) == 0 {
			return "", name, errdef.Newf(errdef.ErrInvalid, "no registries found in registries.conf, a registry must be provided")
		}
		arg = regs.UnqualifiedSearch[0]
	}
	key = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(arg, "https://"), "http://"), "/")
	host, path, _ := strings.Cut(key, "/")
	if !ref.ValidDomain(host) {
		return "", name, errdef.Newf(errdef.ErrInvalid, "%q is not the name of a registry", arg)
	}
	return key, ref.Name{Domain: host, Path: path}, nil
}

// open opens the file that login and logout change.
func open(cfg *config.Config, authFile, compatFile string) (*auth.Store, error) {
	if authFile != "" && compatFile != "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "options for paths to the credential file and to the Docker-compatible credential file can not be set simultaneously")
	}
	if compatFile != "" {
		return auth.OpenCompat(compatFile), nil
	}
	return auth.Open(cfg, authFile)
}
