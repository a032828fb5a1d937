package cliflag

import (
	"os"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/login"
	"github.com/podsuite/podsuite/shared/registry"
)

// Registry says how a command talks to registries.
type Registry struct {
	AuthFile, CertDir string
	TLSVerify         OptionalBool

	creds, username, password, token string
	noCreds                          bool

	given func(name string) bool // nil: the options were never declared
}

// Bind declares the options of podman and buildah.
func (r *Registry) Bind(f *pflag.FlagSet) {
	r.BindAuthFile(f)
	f.StringVar(&r.CertDir, "cert-dir", "", "use certificates at the specified path to access the registry")
	r.BindCreds(f)
	r.BindTLS(f)
}

// BindCreds declares --creds alone, for commands without the rest.
func (r *Registry) BindCreds(f *pflag.FlagSet) {
	r.given = f.Changed
	f.StringVar(&r.creds, "creds", "", "use `[username[:password]]` for accessing the registry")
}

// BindAuthFile declares --authfile alone, for commands without the rest.
func (r *Registry) BindAuthFile(f *pflag.FlagSet) {
	r.given = f.Changed
	f.StringVar(&r.AuthFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
}

// BindTLS declares --tls-verify alone, for commands without the rest.
func (r *Registry) BindTLS(f *pflag.FlagSet) {
	r.TLSVerify.Bind(f, "tls-verify", "true", "require HTTPS and verify certificates when contacting registries")
}

// BindSide declares the options that skopeo has for a side of a command, whose
// prefix is "", "src-" or "dest-".
func (r *Registry) BindSide(f *pflag.FlagSet, prefix string) {
	r.given = func(name string) bool { return f.Changed(prefix + name) }
	f.StringVar(&r.AuthFile, prefix+"authfile", "", "path of the registry credentials file. Default is ${XDG_RUNTIME_DIR}/containers/auth.json")
	f.StringVar(&r.CertDir, prefix+"cert-dir", "", "use certificates at `PATH` (*.crt, *.cert, *.key) to connect to the registry")
	f.StringVar(&r.creds, prefix+"creds", "", "Use `USERNAME[:PASSWORD]` for accessing the registry")
	f.BoolVar(&r.noCreds, prefix+"no-creds", false, "Access the registry anonymously")
	f.StringVar(&r.password, prefix+"password", "", "Password for accessing the registry")
	f.StringVar(&r.token, prefix+"registry-token", "", "Provide a Bearer token for accessing the registry")
	f.StringVar(&r.username, prefix+"username", "", "Username for accessing the registry")
	r.TLSVerify.Bind(f, prefix+"tls-verify", "", "require HTTPS and verify certificates when talking to the container registry")
}

// Options are those of the registry client, as skopeo reads them.
func (r *Registry) Options() (registry.Options, error) {
	o := registry.Options{
		AuthFile: r.AuthFile, CertDir: r.CertDir, Token: r.token, Anonymous: r.noCreds,
		TLSVerify: r.TLSVerify.Value, UserAgent: registry.DefaultUserAgent,
	}
	var err error
	o.Credentials, err = r.credentials()
	return o, err
}

// AskingOptions are those of the registry client, as podman and buildah read
// them: a file of credentials has to be there, and a password that --creds
// leaves out is asked for on the terminal.
func (r *Registry) AskingOptions() (registry.Options, error) {
	if r.AuthFile != "" {
		if _, err := os.Stat(r.AuthFile); err != nil {
			return registry.Options{}, errdef.Newf(errdef.ErrInvalid, "credential file is not accessible: %w", err)
		}
	}
	o, err := r.Options()
	if err == nil && o.Credentials != nil && o.Credentials.Password == "" {
		o.Credentials.Password, err = login.ReadPassword(os.Stderr, os.Stdin)
	}
	o.Log = func(line string) { logrus.Debug(line) } // heard with --log-level=debug
	return o, err
}

// credentials are those of the command line, nil if there are none.
func (r *Registry) credentials() (*auth.Credentials, error) {
	if r.given == nil {
		return nil, nil
	}
	creds, username, password := r.given("creds"), r.given("username"), r.given("password")
	problem := ""
	switch {
	case creds && r.noCreds:
		problem = "creds and no-creds cannot be specified at the same time"
	case username && r.noCreds:
		problem = "username and no-creds cannot be specified at the same time"
	case creds && username:
		problem = "creds and username cannot be specified at the same time"
	case username && !password:
		problem = "password must be specified when username is specified"
	case password && !username:
		problem = "username must be specified when password is specified"
	case username:
		return &auth.Credentials{Username: r.username, Password: r.password}, nil
	case creds:
		c, err := auth.Parse(r.creds)
		return &c, err
	default:
		return nil, nil
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "%s", problem)
}
