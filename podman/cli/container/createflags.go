package container

import (
	"os"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/spf13/cobra"
)

// createFlags are the options that make a container: those of create and run.
type createFlags struct {
	req        engine.CreateRequest
	entrypoint string
}

func (f *createFlags) bind(cmd *cobra.Command) {
	cmd.Flags().SetInterspersed(false)
	f.bindProcess(cmd)
	f.bindConfinement(cmd)
	f.bindConnections(cmd)
}

// bindProcess declares what the process is and how it is looked after.
func (f *createFlags) bindProcess(cmd *cobra.Command) {
	fl, r := cmd.Flags(), &f.req
	fl.StringVar(&r.Name, "name", "", "Assign a name to the container")
	fl.BoolVar(&r.Replace, "replace", false, "If a container with the same name exists, replace it")
	fl.StringVar(&r.Pull, "pull", "missing", `Pull image policy ("always"|"missing"|"never"|"newer")`)
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
	fl.StringVar(&r.LogDriver, "log-driver", "", `Logging driver for the container ("k8s-file"|"json-file"|"none")`)
	fl.StringArrayVar(&r.LogOpts, "log-opt", nil, "Logging driver options (path=FILE)")
	fl.StringVar(&r.Restart, "restart", "", `Restart policy to apply when a container exits ("always"|"no"|"never"|"on-failure"|"unless-stopped")`)
	fl.StringVar(&r.CIDFile, "cidfile", "", "Write the container ID to the file")
	fl.StringVar(&r.Pod, "pod", "", "Run container in an existing pod, or in a new one of NAME with new:NAME")
	fl.StringVar(&r.PodIDFile, "pod-id-file", "", "Read the pod ID from the file")
	fl.StringSliceVar(&r.Requires, "requires", nil, "Add one or more requirement containers that must be started before this container will start")
	if cmd.Name() == "create" {
		fl.StringVar(&r.InitCtr, "init-ctr", "", "Make this a pod init container, which runs before the others (always|once)")
	}
	cmd.Flags().BoolP("help", "", false, "help for "+cmd.Name())
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
	fl.StringArrayVar(&r.SecurityOpt, "security-opt", nil, "Security Options")
	fl.StringSliceVar(&r.Sysctl, "sysctl", nil, "Sysctl options")
	fl.StringSliceVar(&r.Ulimits, "ulimit", nil, "Ulimit options")
	fl.StringVar(&r.ShmSize, "shm-size", "", "Size of /dev/shm (format: <number>[<unit>])")
	fl.StringVar(&r.PID, "pid", "", "PID namespace to use")
	fl.StringVar(&r.IPC, "ipc", "", "IPC namespace to use")
	fl.StringVar(&r.UTS, "uts", "", "UTS namespace to use")
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
	fl.StringVar(&r.IP, "ip", "", "Specify a static IPv4 address for the container")
	fl.StringVar(&r.IP6, "ip6", "", "Specify a static IPv6 address for the container")
	fl.StringSliceVar(&r.NetworkAliases, "network-alias", nil, "Add network-scoped alias for the container")
	fl.StringVar(&r.MAC, "mac-address", "", "Container MAC address (e.g. 92:d0:c6:0a:29:33)")
}

// request completes the request with what the flags can't bind.
func (f *createFlags) request(cmd *cobra.Command, args []string) (*engine.CreateRequest, error) {
	r := &f.req
	r.Image, r.Command = args[0], args[1:]
	r.CreatedBy = os.Args
	changed := cmd.Flags().Changed
	r.PidsLimitSet, r.StopTimeoutSet = changed("pids-limit"), changed("stop-timeout")
	r.ReadOnlySet, r.PrivilegedSet = changed("read-only"), changed("privileged")
	if !changed("pull") {
		r.Pull = ""
	}
	if cmd.Flags().Changed("entrypoint") {
		r.Entrypoint = &f.entrypoint
	}
	return r, nil
}
