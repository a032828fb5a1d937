package buildcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// Host is the program that has the command.
type Host struct {
	Podman  bool   // defaults and options are podman's
	Version string // of the builder
	Open    func() (*store.Store, *config.Config, error)
	Runtime func(c *config.Config, flags []string) (runtime.Runtime, error)
}

// buildFlags are the options as the user wrote them, where the request can't
// take them directly.
type buildFlags struct {
	host     Host
	req      build.Request
	run      RunFlags
	registry cliflag.Registry
	retry    cliflag.Retry
	times    TimeFlags
	keys     cliflag.Decryption
	sign     cliflag.Sign
	progress cliflag.Progress
	refused  cliflag.Refused
	bill     BillFlags
	attest   attestFlags

	args, labels, annotations, env, contexts, secrets, ssh, platforms, tags      []string
	layerLabels, argFiles, outputs, cacheFrom, cacheTo, runtimeFlags             []string
	os, arch, variant, iidFile, metadataFile, logFile, cacheTTL, manifest        string
	targets                                                                      []v1.Platform
	identity, created, inheritLabels, inheritAnnotations, skipUnused             bool
	rm, compress, squash, squashAll, stdin, trust, allPlatforms, check, logSplit bool
}

// New makes the command.
func New(host Host) *cobra.Command {
	o := &buildFlags{host: host}
	name := "buildah"
	if host.Podman {
		name = "podman"
	}
	cmd := &cobra.Command{
		Use:   "build [CONTEXT]",
		Short: "Build an image using instructions in a Containerfile",
		Long: `Builds an OCI image using instructions in one or more Containerfiles.

If no arguments are specified, the current working directory is used as the
build context and looked through for a Containerfile. The build fails if no
Containerfile nor Dockerfile is present.`,
		Example: name + " build\n" + name + " build -f Containerfile.simple .\n" + name + " build -t imageName .",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.build(cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = true
	o.run.Bind(f, &o.req.Run, &o.req.Network)
	o.registry.Bind(f)
	o.retry.Bind(f)
	o.times.Bind(f)
	o.keys.Bind(f)
	BindRefused(f, &o.refused)
	o.bill.Bind(f)
	o.attest.bind(f)
	o.sign.BindGPG(f)
	BindPull(f, &o.req.Pull)
	f.BoolVar(new(bool), "pull-always", false, "")
	f.BoolVar(new(bool), "pull-never", false, "")
	_, _ = f.MarkHidden("pull-always"), f.MarkHidden("pull-never")
	o.bindInput(f)
	o.bindImage(f)
	o.bindWay(f)
	return cmd
}

// bindInput declares what is built.
func (o *buildFlags) bindInput(f *pflag.FlagSet) {
	r := &o.req
	f.StringArrayVar(&o.args, "build-arg", nil, "`argument=value` to supply to the builder")
	f.StringArrayVar(&o.argFiles, "build-arg-file", nil, "`argfile.conf` containing lines of argument=value to supply to the builder")
	f.StringArrayVar(&o.contexts, "build-context", nil, "`argument=value` to supply additional build context to the builder")
	f.StringArrayVar(&r.CPPFlags, "cpp-flag", nil, "set additional flag to pass to C preprocessor (cpp)")
	f.StringSliceVarP(&r.Files, "file", "f", nil, "`pathname or URL` of a Dockerfile")
	f.StringVar(&r.From, "from", "", "image name used to replace the value in the first FROM instruction in the Containerfile")
	f.StringVar(&r.IgnoreFile, "ignorefile", "", "path to an alternate .dockerignore file")
	f.StringArrayVar(&o.secrets, "secret", nil, "secret file to expose to the build")
	f.StringArrayVar(&o.ssh, "ssh", nil, "SSH agent socket or keys to expose to the build. (format: default|<id>[=<socket>|<key>[,<key>]])")
	f.StringVar(&r.Target, "target", "", "set the target build stage to build")
	f.BoolVar(&o.skipUnused, "skip-unused-stages", true, "skips stages in multi-stage builds which do not affect the final target")
	f.StringVar(&o.os, "os", "", "set the OS to the provided value instead of the current operating system of the host")
	f.StringVar(&o.arch, "arch", "", "set the ARCH of the image to the provided value instead of the architecture of the host")
	f.StringVar(&o.variant, "variant", "", "override the `variant` of the specified image")
	f.StringSliceVar(&o.platforms, "platform", nil, "set the `OS/ARCH[/VARIANT]` of the image to the provided value instead of the current operating system and architecture of the host")
}

// bindImage declares what the image is to be.
func (o *buildFlags) bindImage(f *pflag.FlagSet) {
	r := &o.req
	f.StringArrayVar(&o.annotations, "annotation", []string{}, "set metadata for an image")
	f.BoolVar(&o.created, "created-annotation", true, `set an "org.opencontainers.image.created" annotation in the image`)
	f.StringArrayVar(&o.env, "env", nil, "set environment variable for the image")
	f.StringVar(&r.Format, "format", os.Getenv("BUILDAH_FORMAT"), "`format` of the built image's manifest and metadata. Use BUILDAH_FORMAT environment variable to override.")
	f.Lookup("format").DefValue = build.FormatOCI
	f.BoolVar(&o.identity, "identity-label", true, "add default identity label")
	f.StringVar(&o.iidFile, "iidfile", "", "`file` to write the image ID to")
	f.StringVar(&o.metadataFile, "metadata-file", "", "`file` to write digests and names of the image to, as JSON")
	f.BoolVar(&o.inheritAnnotations, "inherit-annotations", true, "inherit the annotations from the base image or base stages.")
	f.BoolVar(&o.inheritLabels, "inherit-labels", true, "inherit the labels from the base image or base stages.")
	f.StringArrayVar(&o.labels, "label", []string{}, "set metadata for an image")
	f.StringArrayVar(&o.layerLabels, "layer-label", []string{}, "set metadata for an intermediate image")
	f.BoolVar(&r.NoHistory, "omit-history", false, "omit build history information from built image")
	f.StringSliceVar(&r.OSFeatures, "os-feature", nil, "set required OS `feature` for the target image in addition to values from the base image")
	f.StringVar(&o.manifest, "manifest", "", "add the image to the specified manifest list. Creates manifest list if it does not exist")
	f.StringVar(&r.OSVersion, "os-version", "", "set required OS `version` for the target image instead of the value from the base image")
	f.StringArrayVarP(&o.outputs, "output", "o", nil, "output destination (format: type=local|tar|docker|oci|image|registry[,dest=path])")
	f.StringArrayVarP(&o.tags, "tag", "t", nil, "tagged `name` to apply to the built image")
	f.StringSliceVar(&r.Unset.Annotations, "unsetannotation", nil, "unset annotation when inheriting annotations from base image")
	f.StringSliceVar(&r.Unset.Env, "unsetenv", nil, "unset environment variable from final image")
	f.StringSliceVar(&r.Unset.Labels, "unsetlabel", nil, "unset label when inheriting labels from base image")
	if o.host.Podman {
		f.BoolVar(&o.squash, "squash", false, "squash newly built layers into a single new layer")
		f.BoolVar(&o.squashAll, "squash-all", false, "squash all layers into a single layer")
		return
	}
	f.BoolVar(&o.squashAll, "squash", false, "squash all image layers into a single layer")
}

// bindWay declares how the build is done.
func (o *buildFlags) bindWay(f *pflag.FlagSet) {
	r := &o.req
	f.StringArrayVar(&r.Run.Allow, "allow", nil, "let steps of the Containerfile have `ENTITLEMENT`: security.insecure, device[=NAME]; network.host is always allowed")
	f.BoolVar(&o.allPlatforms, "all-platforms", false, "attempt to build for all base image platforms")
	f.StringArrayVar(&o.cacheFrom, "cache-from", nil, "remote `repository` list to utilise as potential cache source.")
	f.StringArrayVar(&o.cacheTo, "cache-to", nil, "remote `repository` list to utilise as potential cache destination.")
	f.StringVar(&o.cacheTTL, "cache-ttl", "", "only consider cache images under specified duration.")
	f.BoolVar(&o.check, "check", false, "say what is suspicious in the Containerfile, and build nothing")
	f.BoolVar(&o.compress, "compress", false, "this is a legacy option, which has no effect on the image")
	f.BoolVarP(&o.compress, "disable-compression", "D", true, "don't compress layers by default")
	f.BoolVar(&o.trust, "disable-content-trust", false, "this is a Docker specific option and is a NOOP")
	f.BoolVar(&o.rm, "force-rm", o.host.Podman, "always remove intermediate containers after a build, even if the build is unsuccessful.")
	f.StringArrayVar(&r.Run.OCIHooksDir, "hooks-dir", nil, "set the OCI hooks directory path (may be set multiple times)")
	f.IntVar(&r.Jobs, "jobs", 0, "how many stages to run in parallel; 0 for no limit")
	f.BoolVar(&r.Layers, "layers", o.layersDefault(), "use intermediate layers during build. Use BUILDAH_LAYERS environment variable to override.")
	f.StringVar(&o.logFile, "logfile", "", "log to `file` instead of stdout/stderr")
	f.BoolVar(&o.logSplit, "logsplit", false, "split logfile to different files for each platform")
	f.StringSliceVar(&o.runtimeFlags, "runtime-flag", nil, "add global flags for the container runtime")
	f.BoolVar(&r.Run.KeepVolumes, "compat-volumes", false, "preserve the contents of VOLUMEs during RUN instructions")
	f.BoolVar(&r.NoCache, "no-cache", false, "do not use existing cached images for the container build. Build from the start with a new set of cached layers.")
	f.BoolVar(&r.Run.NoHostname, "no-hostname", false, "do not create new /etc/hostname file for RUN instructions, use the one from the base image.")
	f.BoolVar(&r.Run.NoHosts, "no-hosts", false, "do not create new /etc/hosts file for RUN instructions, use the one from the base image.")
	o.progress.Bind(f, "refrain from announcing build instructions and image read/write progress")
	f.BoolVar(&o.rm, "rm", true, "remove intermediate containers after a successful build")
	f.BoolVar(&o.stdin, "stdin", false, "pass stdin into containers")
}

func (o *buildFlags) layersDefault() bool {
	layers, err := strconv.ParseBool(os.Getenv("BUILDAH_LAYERS"))
	if err != nil {
		return o.host.Podman
	}
	return layers
}

func (o *buildFlags) build(cmd *cobra.Command, args []string) (err error) {
	ctx, stop := cliout.Interruptible(cmd.Context())
	defer stop()
	outputs, err := parseOutputs(o.outputs)
	if err != nil {
		return err
	}
	for _, output := range outputs {
		if output.Kind == build.OutputImage {
			o.tags = append(o.tags, output.Names...)
		}
		if output.Push && len(o.tags) == 0 {
			return errdef.Newf(errdef.ErrInvalid, "--output: an image that is pushed needs a name (--tag)")
		}
	}
	if err := o.request(cmd); err != nil {
		return err
	}
	switch {
	case len(o.targets) < 2:
	case o.iidFile != "":
		return errdef.Newf(errdef.ErrInvalid, "building multiple images, but iidfile %q can only be used to store one image ID", o.iidFile)
	case o.metadataFile != "":
		return errdef.Newf(errdef.ErrInvalid, "building multiple images, but --metadata-file %q can only tell of one", o.metadataFile)
	case o.req.Bill != nil && o.req.Bill.File+o.req.Bill.PURLFile != "":
		return errdef.Newf(errdef.ErrInvalid, "building multiple images, but --sbom-output and --sbom-purl-output can only be used for one")
	case len(outputs) > 0:
		return errdef.Newf(errdef.ErrInvalid, "building multiple images, but --output %q can only be used for one", o.outputs[0])
	}
	// An ordinary user's namespace is entered before anything is fetched.
	st, cfg, err := o.host.Open()
	if err != nil {
		return err
	}
	defer st.Close()
	if o.req.Format == "" {
		o.req.Format = cfg.Engine.BuildFormat()
	}
	if o.req.Keys, err = o.keys.Value(); err != nil {
		return err
	}
	remove, err := o.context(ctx, args)
	defer remove()
	if err != nil {
		return err
	}
	if o.check {
		return build.Check(st, cfg, o.req, cmd.OutOrStdout())
	}
	rt, err := o.host.Runtime(cfg, o.runtimeFlags)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if o.logFile != "" && o.logSplit && len(o.targets) > 1 {
		o.req.LogFile = o.logFile
	} else if o.logFile != "" {
		f, err := build.OpenLog(o.logFile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		o.req.Stdout, o.req.Stderr = f, f
	}
	if o.logFile != "" || o.stdin && o.req.Progress == "tty" {
		o.req.Progress = "plain" // a file isn't watched, and a step that asks needs the terminal
	}
	if slices.ContainsFunc(outputs, func(o build.Output) bool { return o.Dest == "-" }) {
		o.req.Quiet, out = true, os.Stderr // standard output is the archive's
	}
	ids, err := o.make(ctx, st, cfg, rt)
	if err != nil && ctx.Err() != nil {
		return &errdef.Exit{Code: 130, Err: errors.New("build interrupted")}
	}
	if err != nil {
		return err
	}
	if err := o.export(ctx, st, cfg, ids[0], outputs); err != nil {
		return err
	}
	if o.iidFile != "" {
		return os.WriteFile(o.iidFile, []byte("sha256:"+ids[0]), 0o644)
	}
	_, err = fmt.Fprintln(out, strings.Join(ids, "\n"))
	return err
}

// export brings the image where else it shall be, and tells of it.
func (o *buildFlags) export(ctx context.Context, st *store.Store, cfg *config.Config, id string, outputs []build.Output) error {
	names, err := build.TagNames(o.req.Tags)
	if err != nil {
		return err
	}
	var manifest registry.Manifest
	for _, output := range outputs {
		more, err := build.TagNames(append(slices.Clone(names), output.Names...))
		if err != nil {
			return err
		}
		written, err := build.Export(ctx, st, cfg, &o.req.Registry, id, more, output)
		if err != nil {
			return err
		}
		if written.Digest != "" {
			manifest = written
		}
	}
	if o.metadataFile == "" {
		return nil
	}
	data, err := build.Metadata(st, id, names, manifest)
	if err != nil {
		return err
	}
	return os.WriteFile(o.metadataFile, data, 0o644)
}

// make builds the images. Those that get signed have their names only when they
// are.
func (o *buildFlags) make(ctx context.Context, st *store.Store, cfg *config.Config, rt runtime.Runtime) ([]string, error) {
	sign, err := o.sign.Value()
	if err != nil {
		return nil, err
	}
	if len(sign.Signers) == 0 {
		return build.All(ctx, st, cfg, rt, o.req, o.targets, o.manifest)
	}
	names, err := build.TagNames(o.req.Tags)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "--sign-by: an image that is to be signed needs a name (--tag)")
	}
	req := o.req
	req.Tags = nil
	ids, err := build.All(ctx, st, cfg, rt, req, o.targets, o.manifest)
	if err != nil {
		return nil, err
	}
	id := ids[len(ids)-1]
	for _, name := range names {
		to := ref.Location{Transport: ref.ContainersStorage, Image: name, Index: -1}
		if _, err := imgcopy.Push(ctx, st, cfg, id, to.String(), imgcopy.PushOptions{Sign: sign}); err != nil {
			return nil, fmt.Errorf("sign image %s as %s: %w", id, name, err)
		}
	}
	return ids, nil
}

// request completes and checks what the flags left in the request.
func (o *buildFlags) request(cmd *cobra.Command) error {
	r := &o.req
	r.Version, r.Tags, r.NoIdentity, r.KeepUnused = o.host.Version, o.tags, !o.identity, !o.skipUnused
	r.NoCreated, r.DropLabels, r.DropAnnotations = !o.created, !o.inheritLabels, !o.inheritAnnotations
	r.Stdout, r.Stderr, r.Quiet = os.Stdout, os.Stderr, o.progress.Quiet
	mode, err := o.progress.Mode(os.Stdout)
	if err != nil {
		return err
	}
	r.Progress = mode
	r.Pull = PullPolicy(r.Pull)
	for name, policy := range map[string]string{"pull-always": build.PullAlways, "pull-never": build.PullNever} {
		if cmd.Flags().Changed(name) {
			r.Pull = policy
		}
	}
	if o.stdin {
		r.Stdin = os.Stdin
	}
	if r.SquashAll = o.squashAll; o.squash || o.squashAll {
		r.Layers = false
	}
	if err := errors.Join(o.refused.Check(), o.attest.check(), o.times.Apply(r), o.run.Apply(&r.Run, &r.Network), o.platform()); err != nil {
		return err
	}
	if r.Registry, err = o.registry.AskingOptions(); err != nil {
		return err
	}
	o.retry.Into(&r.Registry)
	if r.Bill, err = o.bill.Value(); err != nil {
		return err
	}
	if r.CacheTTL, err = parseTTL(o.cacheTTL); err != nil {
		return err
	}
	if r.CacheFrom, err = cachePlaces("cache-from", o.cacheFrom); err != nil {
		return err
	}
	if r.CacheTo, err = cachePlaces("cache-to", o.cacheTo); err != nil {
		return err
	}
	if !r.Layers && len(r.CacheFrom)+len(r.CacheTo) > 0 {
		cliout.Warn(os.Stderr, "--cache-from and --cache-to have no effect without --layers")
	}
	if r.Args, err = buildArgs(o.args, o.argFiles); err != nil {
		return err
	}
	if !cmd.Flags().Changed("timestamp") && r.SourceDate == nil {
		if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" && !o.host.Podman {
			if r.SourceDate, err = ParseTime("SOURCE_DATE_EPOCH", text); err != nil {
				return err
			}
		}
	}
	r.Labels, r.Annotations, r.LayerLabels = KeyValues(o.labels), KeyValues(o.annotations), KeyValues(o.layerLabels)
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
			return errdef.Newf(errdef.ErrInvalid, "while parsing additional build context: [%q], accepts value in the form of key=value", text)
		}
		r.Contexts[name] = where
	}
	if r.SSH, err = parseSSH(o.ssh); err != nil {
		return err
	}
	r.Secrets, err = parseSecrets(o.secrets)
	return err
}

// platform sets the platforms that are built for; none is the host's.
func (o *buildFlags) platform() error {
	if o.allPlatforms {
		return errdef.Newf(errdef.ErrUnsupported, "--all-platforms is not supported: name them with --platform")
	}
	one := build.UsualPlatform(v1.Platform{OS: o.os, Architecture: o.arch, Variant: o.variant})
	if o.os+o.arch+o.variant != "" {
		if len(o.platforms) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "building system context: invalid --platform may not be used with --os, --arch, or --variant")
		}
		o.targets = []v1.Platform{one}
	}
	for _, text := range o.platforms {
		p, err := build.ParsePlatform(text)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(o.targets, p.Equals) {
			o.targets = append(o.targets, p)
		}
	}
	return nil
}
