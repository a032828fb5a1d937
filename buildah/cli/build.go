package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

// buildFlags are the options as the user wrote them, where the request can't
// take them directly.
type buildFlags struct {
	req                                                                build.Request
	args, labels, annotations, env, contexts, secrets, platforms, tags []string
	argFiles                                                           []string
	iidFile, timestamp, isolation                                      string
	identity, rm, forceRm, compress, skipUnused                        bool
}

func newBuild(a *app) *cobra.Command {
	o := &buildFlags{}
	cmd := &cobra.Command{
		Use:     "build [CONTEXT]",
		Aliases: []string{"build-using-dockerfile", "bud"},
		Short:   "Build an image using instructions in a Containerfile",
		Long: `Builds an OCI image using instructions in one or more Containerfiles.

If no arguments are specified, Buildah will use the current working directory
as the build context and look for a Containerfile. The build fails if no
Containerfile nor Dockerfile is present.`,
		Example: `buildah build
buildah bud -f Containerfile.simple .
buildah bud -t imageName .`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runBuild(cmd, a, o, args) },
	}
	o.bind(cmd, a)
	return cmd
}

func (o *buildFlags) bind(cmd *cobra.Command, a *app) {
	f, r := cmd.Flags(), &o.req
	f.SortFlags = true
	f.StringArrayVar(&o.annotations, "annotation", nil, "set metadata for an image")
	f.StringArrayVar(&o.args, "build-arg", nil, "`argument=value` to supply to the builder")
	f.StringArrayVar(&o.argFiles, "build-arg-file", nil, "`argfile.conf` containing lines of argument=value to supply to the builder")
	f.StringArrayVar(&o.contexts, "build-context", nil, "`argument=value` to supply additional build context to the builder")
	f.BoolVar(&o.compress, "compress", false, "this is a legacy option, which has no effect on the image")
	f.BoolVarP(&o.compress, "disable-compression", "D", true, "don't compress layers by default")
	f.StringArrayVar(&o.env, "env", nil, "set environment variable for the image")
	f.StringSliceVarP(&r.Files, "file", "f", nil, "`pathname` of a Containerfile")
	f.BoolVar(&o.forceRm, "force-rm", false, "always remove intermediate containers after a build, even if the build is unsuccessful.")
	f.StringVar(&r.Format, "format", envOr("BUILDAH_FORMAT", build.FormatOCI), "`format` of the built image's manifest and metadata. Use BUILDAH_FORMAT environment variable to override.")
	f.StringVar(&r.From, "from", "", "image name used to replace the value in the first FROM instruction in the Containerfile")
	f.BoolVar(&o.identity, "identity-label", true, "add default identity label")
	f.StringVar(&r.IgnoreFile, "ignorefile", "", "path to an alternate .dockerignore file")
	f.StringVar(&o.iidFile, "iidfile", "", "`file` to write the image ID to")
	f.StringVar(&o.isolation, "isolation", envOr("BUILDAH_ISOLATION", "oci"), "`type` of process isolation to use. Use BUILDAH_ISOLATION environment variable to override.")
	f.IntVar(&r.Jobs, "jobs", 0, "how many stages to run in parallel; 0 for no limit")
	f.StringArrayVar(&o.labels, "label", nil, "set metadata for an image")
	f.BoolVar(&r.Layers, "layers", envBool("BUILDAH_LAYERS"), "use intermediate layers during build. Use BUILDAH_LAYERS environment variable to override.")
	f.StringVar(&r.Network, "network", "", "'private', 'none', or 'host'")
	f.BoolVar(&r.NoCache, "no-cache", false, "do not use existing cached images for the container build. Build from the start with a new set of cached layers.")
	f.BoolVar(&r.NoHistory, "omit-history", false, "omit build history information from built image")
	f.StringSliceVar(&o.platforms, "platform", nil, "set the `OS/ARCH[/VARIANT]` of the image; only the host's can be built")
	f.StringVar(&r.Pull, "pull", build.PullMissing, "pull base images from the registry: always, missing, never or newer")
	f.Lookup("pull").NoOptDefVal = build.PullAlways
	f.BoolVarP(&r.Quiet, "quiet", "q", false, "refrain from announcing build instructions and image read/write progress")
	f.BoolVar(&o.rm, "rm", true, "remove intermediate containers after a successful build")
	f.StringVar(&a.runtime, "runtime", os.Getenv("BUILDAH_RUNTIME"), "`path` to an alternate runtime. Use BUILDAH_RUNTIME environment variable to override.")
	f.StringArrayVar(&o.secrets, "secret", nil, "secret file to expose to the build")
	f.BoolVar(&o.skipUnused, "skip-unused-stages", true, "skips stages in multi-stage builds which do not affect the final target")
	f.StringArrayVarP(&o.tags, "tag", "t", nil, "tagged `name` to apply to the built image")
	f.StringVar(&r.Target, "target", "", "set the target build stage to build")
	f.StringVar(&o.timestamp, "timestamp", "", "set new timestamps in image info and layer to `seconds` after the epoch, defaults to current times")
	f.StringSliceVar(&r.Unset.Annotations, "unsetannotation", nil, "unset annotation when inheriting annotations from base image")
	f.StringSliceVar(&r.Unset.Env, "unsetenv", nil, "unset environment variable from final image")
	f.StringSliceVar(&r.Unset.Labels, "unsetlabel", nil, "unset label when inheriting labels from base image")
}

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func envBool(name string) bool {
	value, err := strconv.ParseBool(os.Getenv(name))
	return err == nil && value
}

func runBuild(cmd *cobra.Command, a *app, o *buildFlags, args []string) error {
	req, err := o.request(args)
	if err != nil {
		return err
	}
	st, cfg, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	rt, err := a.openRuntime(cfg)
	if err != nil {
		return err
	}
	ctx, stop := cliout.Interruptible(cmd.Context())
	defer stop()
	id, err := build.Build(ctx, st, cfg, rt, *req)
	if err != nil && ctx.Err() != nil {
		return &errdef.Exit{Code: 130, Err: errors.New("build interrupted")}
	}
	if err != nil {
		return err
	}
	if o.iidFile != "" {
		return os.WriteFile(o.iidFile, []byte("sha256:"+id), 0o644)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
	return err
}

// request completes and checks what the flags left in the request.
func (o *buildFlags) request(args []string) (*build.Request, error) {
	r := &o.req
	r.Version, r.Tags, r.NoIdentity, r.KeepUnused = version, o.tags, !o.identity, !o.skipUnused
	r.Stdout, r.Stderr = os.Stdout, os.Stderr
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := o.context(args); err != nil {
		return nil, err
	}
	var err error
	if r.Args, err = buildArgs(o.args, o.argFiles); err != nil {
		return nil, err
	}
	r.Labels, r.Annotations = keyValues(o.labels), keyValues(o.annotations)
	for _, kv := range o.env {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			value = os.Getenv(name)
		}
		r.Env = append(r.Env, build.KeyValue{Key: name, Value: value})
	}
	r.Contexts = map[string]string{}
	for _, text := range o.contexts {
		name, where, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errdef.Newf(errdef.ErrInvalid, "while parsing additional build context: [%q], accepts value in the form of key=value", text)
		}
		r.Contexts[name] = where
	}
	if r.Secrets, err = parseSecrets(o.secrets); err != nil {
		return nil, err
	}
	return r, o.time()
}

func (o *buildFlags) check() error {
	switch o.isolation {
	case "oci", "default", "":
	case "chroot", "rootless":
		return errdef.Newf(errdef.ErrUnsupported, "isolation type %q is not supported: RUN always gets a container of its own", o.isolation)
	default:
		return errdef.Newf(errdef.ErrInvalid, "unrecognized isolation type %q", o.isolation)
	}
	switch o.req.Network {
	case "", "none", "host", "private":
	case "default":
		o.req.Network = ""
	default:
		return errdef.Newf(errdef.ErrNotFound, "setup network: unable to find network with name or ID %s: network not found", o.req.Network)
	}
	for _, p := range o.platforms {
		if err := build.CheckPlatform(p); err != nil {
			return err
		}
	}
	return nil
}

// context sets the context directory and the files, which may be relative to it.
func (o *buildFlags) context(args []string) error {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	if strings.Contains(dir, "://") || strings.HasPrefix(dir, "git@") || dir == "-" {
		return errdef.Newf(errdef.ErrUnsupported, "context %q is not supported: it must be a directory", dir)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return errdef.As(errdef.ErrNotFound, fmt.Errorf("discovering Containerfile: %w", err))
	}
	if !info.IsDir() {
		return errdef.Newf(errdef.ErrInvalid, "context must be a directory: %q", dir)
	}
	if o.req.Context, err = filepath.Abs(dir); err != nil {
		return err
	}
	for i, file := range o.req.Files {
		switch {
		case file == "-":
			data, err := io.ReadAll(io.LimitReader(os.Stdin, 16<<20))
			if err != nil {
				return fmt.Errorf("read Containerfile from standard input: %w", err)
			}
			o.req.ReadContainer = string(data)
		case !exists(file):
			o.req.Files[i] = filepath.Join(o.req.Context, file)
		}
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (o *buildFlags) time() error {
	if o.timestamp == "" {
		return nil
	}
	seconds, err := strconv.ParseInt(o.timestamp, 10, 64)
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "parsing timestamp %q: it must be a number of seconds", o.timestamp)
	}
	t := time.Unix(seconds, 0).UTC()
	o.req.Timestamp = &t
	return nil
}
