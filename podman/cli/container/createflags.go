package container

import (
	"os"
	"strings"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/spf13/cobra"
)

// createFlags are the options that make a container: those of create and run.
type createFlags struct {
	req                     engine.CreateRequest
	entrypoint              string
	httpProxy, tmpfs, quiet bool
	init                    bool
	oomScore                *int64
	registry                cliflag.Registry
	retry                   cliflag.Retry
	platform                cliflag.Platform
	decryption              cliflag.Decryption
}

func (f *createFlags) bind(cmd *cobra.Command) {
	cmd.Flags().SetInterspersed(false)
	f.bindProcess(cmd)
	f.bindConfinement(cmd)
	f.bindConnections(cmd)
	f.bindImage(cmd)
	f.bindRun(cmd)
}

// bindProcess declares what the process is and how it is looked after.
func (f *createFlags) bindProcess(cmd *cobra.Command) {
	fl, r := cmd.Flags(), &f.req
	fl.StringVar(&r.Name, "name", "", "Assign a name to the container")
	fl.BoolVar(&r.Rootfs, "rootfs", false, "The first argument is not an image but the rootfs to the exploded container")
	fl.BoolVar(&r.Replace, "replace", false, "If a container with the same name exists, replace it")
	fl.StringVar(&r.Pull, "pull", "missing", `Pull image policy ("always"|"missing"|"never"|"newer")`)
	fl.StringArrayVar(&r.ChrootDirs, "chrootdirs", nil, "Chroot directories inside the container")
	fl.StringVar(&r.Personality, "personality", "", `Configure execution domain using personality ("LINUX"|"LINUX32")`)
	fl.StringVar(&f.entrypoint, "entrypoint", "", "Overwrite the default ENTRYPOINT of the image")
	fl.StringArrayVarP(&r.Env, "env", "e", nil, "Set environment variables in container")
	fl.StringArrayVar(&r.EnvFiles, "env-file", nil, "Read in a file of environment variables")
	fl.StringArrayVar(&r.UnsetEnv, "unsetenv", nil, "Unset environment default variables in container")
	fl.StringVarP(&r.WorkDir, "workdir", "w", "", "Working directory inside the container")
	fl.StringVarP(&r.User, "user", "u", "", "Username or UID (format: <name|uid>[:<group|gid>])")
	fl.StringArrayVar(&r.Groups, "group-add", nil, "Add additional groups to the primary container process")
	fl.StringVarP(&r.Hostname, "hostname", "h", "", "Set container hostname")
	fl.StringArrayVarP(&r.Labels, "label", "l", nil, "Set metadata on container")
	fl.StringArrayVar(&r.LabelFiles, "label-file", nil, "Read in a line delimited file of labels")
	fl.StringArrayVar(&r.Annotations, "annotation", nil, "Add annotations to container (key=value)")
	fl.BoolVarP(&r.Terminal, "tty", "t", false, "Allocate a pseudo-TTY for container")
	fl.BoolVarP(&r.Interactive, "interactive", "i", false, "Make STDIN available to the contained process")
	fl.BoolVar(&r.AutoRemove, "rm", false, "Remove container and any anonymous unnamed volume associated with the container after exit")
	fl.StringVar(&r.StopSignal, "stop-signal", "", "Signal to stop a container. Default is SIGTERM")
	fl.UintVar(&r.StopTimeout, "stop-timeout", 10, "Timeout (in seconds) that containers stopped by user command have to exit")
	fl.StringVar(&r.LogDriver, "log-driver", "", "Logging driver for the container (one of "+strings.Join(engine.LogDrivers(), ", ")+")")
	fl.StringArrayVar(&r.LogOpts, "log-opt", nil, "Logging driver options (path=FILE, max-size=SIZE, tag=TEXT)")
	fl.StringVar(&r.Systemd, "systemd", "true", `Run container in systemd mode ("true"|"false"|"always")`)
	fl.StringVar(&r.SdNotify, "sdnotify", "container", `control sd-notify behavior ("container"|"conmon"|"healthy"|"ignore")`)
	fl.StringVar(&r.ShmSizeSystemd, "shm-size-systemd", "", "Size of systemd specific tmpfs mounts (/run, /run/lock) (format: <number>[<unit>])")
	fl.StringVar(&r.Restart, "restart", "", `Restart policy to apply when a container exits ("always"|"no"|"never"|"on-failure"|"unless-stopped")`)
	fl.StringVar(&r.CIDFile, "cidfile", "", "Write the container ID to the file")
	fl.StringVar(&r.Pod, "pod", "", "Run container in an existing pod, or in a new one of NAME with new:NAME")
	fl.StringVar(&r.PodIDFile, "pod-id-file", "", "Read the pod ID from the file")
	fl.StringSliceVar(&r.Requires, "requires", nil, "Add one or more requirement containers that must be started before this container will start")
	if cmd.Name() == "create" {
		fl.StringVar(&r.InitCtr, "init-ctr", "", "Make this a pod init container, which runs before the others (always|once)")
	}
	fl.BoolVar(&f.init, "init", false, "Run an init binary inside the container that forwards signals and reaps processes")
	fl.StringVar(&r.InitPath, "init-path", "", "Path to the container-init binary")
	fl.StringVar(&r.PasswdEntry, "passwd-entry", "", "Entry to write to /etc/passwd")
	fl.StringVar(&r.GroupEntry, "group-entry", "", "Entry to write to /etc/group")
	fl.StringSliceVar(&r.HostUsers, "hostuser", nil, "Host user account to add to /etc/passwd within container")
	cmd.Flags().BoolP("help", "", false, "help for "+cmd.Name())
}

// bindImage declares where the image comes from.
func (f *createFlags) bindImage(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.registry.Bind(fl)
	f.retry.Bind(fl)
	f.platform.Bind(fl)
	f.decryption.BindArray(fl)
	cliflag.BindContentTrust(fl)
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Suppress output information when pulling images")
}

// bindRun declares what else there is to say of the process and its run.
func (f *createFlags) bindRun(cmd *cobra.Command) {
	fl, r := cmd.Flags(), &f.req
	fl.StringArrayVar(&r.EnvMerge, "env-merge", nil, "Preprocess environment variables from image before injecting them into the container")
	fl.BoolVar(&r.EnvHost, "env-host", false, "Use all current host environment variables in container")
	fl.BoolVar(&r.UnsetEnvAll, "unsetenv-all", false, "Unset all default environment variables in container")
	fl.BoolVar(&f.httpProxy, "http-proxy", true, "Set proxy environment variables in the container based on the host proxy vars")
	fl.StringVar(&r.Umask, "umask", "0022", "Set umask in container")
	fl.StringVar(&r.Timezone, "tz", "", "Set timezone in container")
	fl.UintVar(&r.Timeout, "timeout", 0, "Maximum length of time a container is allowed to run. The container will be killed automatically after the time expires.")
	fl.Var(&optionalInt{&f.oomScore, ""}, "oom-score-adj", "Tune the host's OOM preferences (-1000 to 1000)")
	fl.BoolVar(&r.OOMKillDisable, "oom-kill-disable", false, "Disable OOM Killer")
	fl.StringArrayVar(&r.Devices, "device", nil, "Add a host device to the container")
	fl.StringSliceVar(&r.GPUs, "gpus", nil, "GPU devices to add to the container ('all' to pass all GPUs)")
	fl.StringVar(&r.RdtClass, "rdt-class", "", "Class of Service (COS) that the container should be assigned to")
	fl.StringSliceVar(&r.DeviceRules, "device-cgroup-rule", nil, "Add a rule to the cgroup allowed devices list")
	fl.StringVar(&r.CgroupNS, "cgroupns", "", "cgroup namespace to use")
	fl.StringVar(&r.Cgroups, "cgroups", "enabled", `control container cgroup configuration ("enabled"|"disabled"|"no-conmon"|"split")`)
	fl.StringVar(&r.CgroupParent, "cgroup-parent", "", "Optional parent cgroup for the container")
	fl.StringSliceVar(&r.CgroupConf, "cgroup-conf", nil, "Configure cgroup v2 (key=value)")
	fl.BoolVar(&f.tmpfs, "read-only-tmpfs", true, "When running --read-only containers mount read-write tmpfs on /dev, /dev/shm, /run, /tmp and /var/tmp")
	fl.StringArrayVar(&r.VolumesFrom, "volumes-from", nil, "Mount volumes from the specified container(s)")
	fl.StringVar(&r.ImageVolume, "image-volume", "anonymous", `Tells podman how to handle the builtin image volumes ("anonymous"|"tmpfs"|"ignore")`)
	fl.StringVar(&r.PidFile, "pidfile", "", "Write the container process ID to the file")
	fl.StringVar(&r.MonitorPidFile, "conmon-pidfile", "", "Path to the file that will receive the PID of the container's monitor")
}

// bindConfinement declares what the process may see and use.
func (f *createFlags) bindConfinement(cmd *cobra.Command) {
	fl, r := cmd.Flags(), &f.req
	fl.StringArrayVar(&r.Secrets, "secret", nil, "Add secret to container")
	fl.StringArrayVarP(&r.Volumes, "volume", "v", nil, "Bind mount a volume into the container")
	fl.StringArrayVar(&r.Mounts, "mount", nil, "Attach a filesystem mount to the container")
	fl.StringArrayVar(&r.Tmpfs, "tmpfs", nil, "Mount a temporary filesystem (tmpfs) into a container")
	fl.BoolVar(&r.ReadOnly, "read-only", false, "Make containers root filesystem read-only")
	fl.BoolVar(&r.Privileged, "privileged", false, "Give extended privileges to container")
	fl.StringSliceVar(&r.CapAdd, "cap-add", nil, "Add capabilities to the container")
	fl.StringSliceVar(&r.CapDrop, "cap-drop", nil, "Drop capabilities from the container")
	fl.StringVar(&r.SeccompPolicy, "seccomp-policy", "default", `Policy for selecting a seccomp profile ("default"|"image")`)
	fl.StringArrayVar(&r.SecurityOpt, "security-opt", nil, "Security Options")
	fl.StringSliceVar(&r.Sysctl, "sysctl", nil, "Sysctl options")
	fl.StringSliceVar(&r.Ulimits, "ulimit", nil, "Ulimit options")
	fl.StringVar(&r.ShmSize, "shm-size", "", "Size of /dev/shm (format: <number>[<unit>])")
	fl.StringVar(&r.PID, "pid", "", "PID namespace to use")
	fl.StringVar(&r.IPC, "ipc", "", "IPC namespace to use")
	fl.StringVar(&r.UTS, "uts", "", "UTS namespace to use")
	BindUserNS(fl, &r.UserNSRequest)
	bindResources(cmd, &r.ResourceRequest)
	bindHealth(cmd, &r.Health)
}

// bindConnections declares how the container is connected.
func (f *createFlags) bindConnections(cmd *cobra.Command) {
	fl, r := cmd.Flags(), &f.req
	fl.StringArrayVar(&r.Network, "network", nil, "Connect a container to a network")
	fl.StringArrayVar(&r.Network, "net", nil, "Connect a container to a network")
	fl.MarkHidden("net")
	fl.StringSliceVarP(&r.Publish, "publish", "p", nil, "Publish a container's port, or a range of ports, to the host")
	fl.BoolVarP(&r.PublishAll, "publish-all", "P", false, "Publish all exposed ports to random ports on the host interface")
	fl.StringSliceVar(&r.Expose, "expose", nil, "Expose a port or a range of ports")
	fl.StringSliceVar(&r.DNS, "dns", nil, "Set custom DNS servers")
	fl.StringSliceVar(&r.DNSSearch, "dns-search", nil, "Set custom DNS search domains")
	fl.StringSliceVar(&r.DNSOptions, "dns-option", nil, "Set custom DNS options")
	fl.StringArrayVar(&r.AddHosts, "add-host", nil, "Add a custom host-to-IP mapping (host:ip)")
	fl.BoolVar(&r.NoHosts, "no-hosts", false, "Do not create /etc/hosts within the container, instead use the version from the image")
	fl.StringVar(&r.HostsFile, "hosts-file", "", `Base file to create the /etc/hosts file inside the container: a path, "image" or "none"`)
	fl.BoolVar(&r.NoHostname, "no-hostname", false, "Do not create /etc/hostname within the container, instead use the version from the image")
	fl.StringVar(&r.IP, "ip", "", "Specify a static IPv4 address for the container")
	fl.StringVar(&r.IP6, "ip6", "", "Specify a static IPv6 address for the container")
	fl.StringSliceVar(&r.NetworkAliases, "network-alias", nil, "Add network-scoped alias for the container")
	fl.StringVar(&r.MAC, "mac-address", "", "Container MAC address (e.g. 92:d0:c6:0a:29:33)")
}

// request completes the request with what the flags can't bind.
func (f *createFlags) request(cmd *cobra.Command, args []string) (*engine.CreateRequest, error) {
	r := &f.req
	r.Image, r.Command = args[0], args[1:]
	r.CreatedBy = f.decryption.WithoutPasswords(os.Args)
	changed := cmd.Flags().Changed
	r.PidsLimitSet, r.StopTimeoutSet = changed("pids-limit"), changed("stop-timeout")
	r.ReadOnlySet, r.PrivilegedSet = changed("read-only"), changed("privileged")
	r.NoHostsSet = changed("no-hosts")
	r.NoReadOnlyTmpfs = !f.tmpfs
	if changed("init") {
		r.Init = &f.init
	}
	if changed("userns") && r.UserNS == "" {
		r.UserNS = "host"
	}
	if changed("http-proxy") {
		r.HTTPProxy = &f.httpProxy
	}
	if !changed("cgroups") {
		r.Cgroups = ""
	}
	if !changed("umask") {
		r.Umask = ""
	}
	if f.oomScore != nil {
		score := int(*f.oomScore)
		if score < -1000 || score > 1000 {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid --oom-score-adj %d: choose -1000 to 1000", score)
		}
		r.OOMScoreAdj = &score
	}
	if err := f.pullOptions(&r.PullOptions); err != nil {
		return nil, err
	}
	if !changed("image-volume") {
		r.ImageVolume = "" // the configured one
	}
	if !changed("pull") {
		r.Pull = ""
	}
	if cmd.Flags().Changed("entrypoint") {
		r.Entrypoint = &f.entrypoint
	}
	return r, nil
}

func (f *createFlags) pullOptions(o *imgcopy.PullOptions) (err error) {
	if o.Platform, err = f.platform.Value(); err != nil {
		return err
	}
	if o.Registry, err = f.registry.AskingOptions(); err != nil {
		return err
	}
	f.retry.Into(&o.Registry)
	if f.quiet {
		o.Progress = cliout.NewProgress(nil, "none")
	}
	return nil
}
