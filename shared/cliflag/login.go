package cliflag

import (
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/login"
)

// Login is a login to a registry.
type Login struct {
	req       login.Request
	tlsVerify OptionalBool
}

// Bind declares the options.
func (l *Login) Bind(f *pflag.FlagSet) {
	r := &l.req
	bindAuthFiles(f, &r.AuthFile, &r.CompatFile)
	f.StringVar(&r.CertDir, "cert-dir", "", "use certificates at the specified path to access the registry")
	f.BoolVar(&r.GetLogin, "get-login", false, "Return the current login user for the registry")
	f.StringVarP(&r.Password, "password", "p", "", "Password for registry")
	f.BoolVar(&r.PasswordStdin, "password-stdin", false, "Take the password from stdin")
	f.StringVarP(&r.Username, "username", "u", "", "Username for registry")
	f.BoolVarP(&r.Verbose, "verbose", "v", false, "Write more detailed information to stdout")
	l.tlsVerify.Bind(f, "tls-verify", "", "Require HTTPS and verify certificates when contacting registries")
}

// Request is the login to the registry; "" is the first one that is searched.
func (l *Login) Request(registry string) login.Request {
	r := l.req
	r.Registry, r.TLSVerify = registry, l.tlsVerify.Value
	return r
}

// Logout says where credentials are forgotten.
type Logout struct {
	All                  bool
	AuthFile, CompatFile string
}

// Bind declares the options.
func (l *Logout) Bind(f *pflag.FlagSet) {
	bindAuthFiles(f, &l.AuthFile, &l.CompatFile)
	f.BoolVarP(&l.All, "all", "a", false, "Remove the cached credentials for all registries in the auth file")
}

func bindAuthFiles(f *pflag.FlagSet, authFile, compatFile *string) {
	f.StringVar(authFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(compatFile, "compat-auth-file", "", "path of a Docker-compatible config file to update instead")
}
