package cli

import (
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

// optionalBool is a switch that knows whether it was given.
type optionalBool struct{ value *bool }

func (o *optionalBool) String() string {
	if o.value == nil {
		return ""
	}
	return strconv.FormatBool(*o.value)
}

func (o *optionalBool) Set(s string) error {
	b, err := strconv.ParseBool(s)
	o.value = &b
	return err
}

func (o *optionalBool) Type() string     { return "bool" }
func (o *optionalBool) IsBoolFlag() bool { return true }

// registryFlags say how the registry of one side of a command is used.
type registryFlags struct {
	authFile, certDir, creds, username, password, token string
	noCreds                                             bool
	tlsVerify                                           optionalBool
	sharedBlobs                                         string
	set                                                 func(name string) bool
	prefix                                              string
}

// add declares the flags with the prefix of the side: "", "src-" or "dest-".
func (r *registryFlags) add(cmd *cobra.Command, prefix string) {
	f := cmd.Flags()
	r.prefix, r.set = prefix, func(name string) bool { return f.Changed(prefix + name) }
	f.StringVar(&r.authFile, prefix+"authfile", "", "path of the registry credentials file. Default is ${XDG_RUNTIME_DIR}/containers/auth.json")
	f.StringVar(&r.certDir, prefix+"cert-dir", "", "use certificates at `PATH` (*.crt, *.cert, *.key) to connect to the registry")
	f.StringVar(&r.creds, prefix+"creds", "", "Use `USERNAME[:PASSWORD]` for accessing the registry")
	f.BoolVar(&r.noCreds, prefix+"no-creds", false, "Access the registry anonymously")
	f.StringVar(&r.password, prefix+"password", "", "Password for accessing the registry")
	f.StringVar(&r.token, prefix+"registry-token", "", "Provide a Bearer token for accessing the registry")
	f.StringVar(&r.username, prefix+"username", "", "Username for accessing the registry")
	f.VarPF(&r.tlsVerify, prefix+"tls-verify", "", "require HTTPS and verify certificates when talking to the container registry").NoOptDefVal = "true"
}

func (r *registryFlags) addBlobs(f *pflag.FlagSet, prefix string) {
	f.StringVar(&r.sharedBlobs, prefix+"shared-blob-dir", "", "`DIRECTORY` to use to share blobs across OCI repositories")
}

// options turns the flags into those of the packages below.
func (r *registryFlags) options(g *global, retry retryFlags, log io.Writer) (transport.Options, error) {
	o := registry.Options{
		AuthFile: r.authFile, CertDir: r.certDir, Token: r.token, Anonymous: r.noCreds, TLSVerify: r.tlsVerify.value,
		UserAgent: registry.DefaultUserAgent, Retries: retry.times, RetryDelay: retry.delay, Log: g.logTo(log),
	}
	if g.userAgent != "" {
		o.UserAgent = g.userAgent + " " + o.UserAgent
	}
	creds, err := r.credentials()
	if err != nil {
		return transport.Options{}, err
	}
	o.Credentials = creds
	return transport.Options{
		Config: g.cfg, Registry: o, SharedBlobDir: r.sharedBlobs,
	}, nil
}

func (r *registryFlags) credentials() (*auth.Credentials, error) {
	byName := r.set("username") || r.set("password")
	switch {
	case r.set("creds") && r.noCreds:
		return nil, invalid("creds and no-creds cannot be specified at the same time")
	case byName && r.noCreds:
		return nil, invalid("username and no-creds cannot be specified at the same time")
	case r.set("creds") && byName:
		return nil, invalid("creds and username/password cannot be specified at the same time")
	case r.set("password") && r.username == "":
		return nil, invalid("password was given without a username")
	case r.set("username") && !r.set("password"):
		return nil, invalid("username was given without a password")
	case byName:
		return &auth.Credentials{Username: r.username, Password: r.password}, nil
	case r.set("creds"):
		c, err := auth.Parse(r.creds)
		return &c, err
	}
	return nil, nil
}

// retryFlags say how often a failed request is sent again.
type retryFlags struct {
	times int
	delay time.Duration
}

func (r *retryFlags) add(f *pflag.FlagSet) {
	f.IntVar(&r.times, "retry-times", 0, "the number of times to possibly retry")
	f.DurationVar(&r.delay, "retry-delay", 0, "Fixed delay between retries. If not set, retry uses an exponential backoff delay.")
}
