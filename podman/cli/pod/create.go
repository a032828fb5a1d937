package pod

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/container"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// createFlags are the options that make a pod: those of create and clone.
type createFlags struct {
	req       engine.PodRequest
	shmSystem string
}

// newCreate is `podman pod create`.
func newCreate(a *app.App) *cobra.Command {
	f := new(createFlags)
	var infra, shareParent bool
	cmd := &cobra.Command{
		Use:   "create [options] [NAME]",
		Short: "Create a new empty pod",
		Long:  "Creates a pod: containers that share namespaces, control groups and published ports, held by an infra container of its own.",
		Args:  cobra.MaximumNArgs(1),
		Example: "  podman pod create\n  podman pod create --name web -p 8080:80\n  podman pod create --label foo=bar mypod\n" +
			"  podman pod create --share net,pid --infra-name holder mypod",
	}
	fl, c := cmd.Flags(), &f.req.Container
	f.bind(cmd)
	fl.StringVarP(&f.req.Name, "name", "n", "", "Assign a name to the pod")
	fl.BoolVar(&infra, "infra", true, "Create an infra container associated with the pod to share namespaces with")
	fl.StringVar(&f.req.InfraImage, "infra-image", "", "Image to use to override builtin infra container")
	fl.StringVar(&f.req.Share, "share", "ipc,net,uts", "A comma delimited list of kernel namespaces the pod will share")
	fl.BoolVar(&shareParent, "share-parent", true, "Set the pod's cgroup as the cgroup parent for all containers joining the pod")
	fl.StringVar(&f.req.ExitPolicy, "exit-policy", "continue", "Behaviour when the last container exits")
	fl.StringVar(&f.req.IDFile, "pod-id-file", "", "Write the pod ID to the file")
	fl.BoolVar(&f.req.Replace, "replace", false, "If a pod with the same name exists, replace it")
	bindNetwork(fl, c)
	fl.StringVar(&c.HostsFile, "hosts-file", "", "Base file to create the /etc/hosts file inside the pod")
	fl.BoolVar(&c.NoHostname, "no-hostname", false, "Do not create /etc/hostname within the pod")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			if f.req.Name != "" {
				return errdef.Newf(errdef.ErrInvalid, "cannot specify --name and NAME at the same time")
			}
			f.req.Name = args[0]
		}
		f.req.NoInfra, f.req.OwnCgroups = !infra, !shareParent
		f.req.ShareSet = fl.Changed("share")
		if !f.req.ShareSet {
			f.req.Share = ""
		}
		if !fl.Changed("exit-policy") {
			f.req.ExitPolicy = "" // the configured one
		}
		c.NoHostsSet = fl.Changed("no-hosts")
		if err := f.check(); err != nil {
			return err
		}
		f.req.CreatedBy = os.Args
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		p, err := e.CreatePod(cmd.Context(), &f.req)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), p.ID)
		return nil
	}
	return cmd
}

// bind declares the options of create and clone.
func (f *createFlags) bind(cmd *cobra.Command) {
	fl, c := cmd.Flags(), &f.req.Container
	cmd.Flags().BoolP("help", "", false, "help for "+cmd.Name())
	fl.StringVarP(&c.Hostname, "hostname", "h", "", "Set a hostname to the pod")
	fl.StringArrayVarP(&f.req.Labels, "label", "l", nil, "Set metadata on pod")
	fl.StringArrayVar(&f.req.LabelFiles, "label-file", nil, "Read in a line delimited file of labels")
	fl.StringVar(&f.req.InfraCommand, "infra-command", "", "The command to run on the infra container when the pod is started")
	fl.StringVar(&f.req.InfraName, "infra-name", "", "The name used as infra container name")
	fl.StringVar(&c.MonitorPidFile, "infra-conmon-pidfile", "", "Path to the file that will receive the PID of the infra container's conmon")
	fl.StringVar(&c.Restart, "restart", "", `Restart policy to apply to the containers of the pod ("no"|"always"|"on-failure"|"unless-stopped")`)
	fl.StringArrayVar(&c.SecurityOpt, "security-opt", nil, "Security Options")
	fl.StringSliceVar(&c.Sysctl, "sysctl", nil, "Sysctl options")
	fl.StringVar(&c.ShmSize, "shm-size", "", "Size of /dev/shm (format: <number>[<unit>])")
	fl.StringVar(&c.PID, "pid", "", "PID namespace to use")
	fl.StringVar(&c.UTS, "uts", "", "UTS namespace to use")
	fl.StringArrayVarP(&c.Volumes, "volume", "v", nil, "Bind mount a volume into the containers of the pod")
	fl.StringVar(&f.req.CgroupParent, "cgroup-parent", "", "Optional parent cgroup for the pod")
	f.bindLimits(fl)
	fl.StringArrayVar(&c.Devices, "device", nil, "Add a host device to the containers of the pod")
	fl.StringSliceVar(&c.GPUs, "gpus", nil, "GPU devices to add to the containers of the pod ('all' to pass all GPUs)")
	fl.StringArrayVar(&c.VolumesFrom, "volumes-from", nil, "Mount volumes from the specified container(s)")
	fl.StringVar(&f.shmSystem, "shm-size-systemd", "", "Size of systemd specific tmpfs mounts (/run, /run/lock) (format: <number>[<unit>])")
	container.BindUserNS(fl, &c.UserNSRequest)
}

// bindLimits declares the limits on all containers of the pod together.
func (f *createFlags) bindLimits(fl *pflag.FlagSet) {
	r := &f.req.Container.ResourceRequest
	fl.StringVarP(&r.Memory, "memory", "m", "", "Memory limit (format: <number>[<unit>])")
	fl.StringVar(&r.MemorySwap, "memory-swap", "", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
	fl.Float64Var(&r.CPUs, "cpus", 0, "Number of CPUs. The default is 0.000 which means no limit")
	fl.Uint64VarP(&r.CPUShares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	fl.StringVar(&r.CPUSetCPUs, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	fl.StringVar(&r.CPUSetMems, "cpuset-mems", "", "Memory nodes (MEMs) in which to allow execution (0-3, 0,1). Only effective on NUMA systems")
	fl.StringVar(&r.BlkioWeight, "blkio-weight", "", "Block IO weight (relative weight) accepts a weight value between 10 and 1000.")
	fl.StringArrayVar(&r.BlkioWeightDevices, "blkio-weight-device", nil, "Block IO weight (relative device weight, format: `DEVICE_NAME:WEIGHT`)")
	fl.StringArrayVar(&r.ReadBps, "device-read-bps", nil, "Limit read rate (bytes per second) from a device (e.g. --device-read-bps=/dev/sda:1mb)")
	fl.StringArrayVar(&r.WriteBps, "device-write-bps", nil, "Limit write rate (bytes per second) to a device (e.g. --device-write-bps=/dev/sda:1mb)")
}

// bindNetwork declares how the pod is connected.
func bindNetwork(fl *pflag.FlagSet, c *engine.CreateRequest) {
	fl.StringArrayVar(&c.Network, "network", nil, "Connect a pod to a network")
	fl.StringArrayVar(&c.Network, "net", nil, "Connect a pod to a network")
	_ = fl.MarkHidden("net")
	fl.StringSliceVarP(&c.Publish, "publish", "p", nil, "Publish a container's port, or a range of ports, to the host")
	fl.StringSliceVar(&c.DNS, "dns", nil, "Set custom DNS servers")
	fl.StringSliceVar(&c.DNSSearch, "dns-search", nil, "Set custom DNS search domains")
	fl.StringSliceVar(&c.DNSOptions, "dns-option", nil, "Set custom DNS options")
	fl.StringSliceVar(&c.AddHosts, "add-host", nil, "Add a custom host-to-IP mapping (host:ip)")
	fl.BoolVar(&c.NoHosts, "no-hosts", false, "Do not create /etc/hosts within the pod")
	fl.StringVar(&c.IP, "ip", "", "Specify a static IPv4 address for the pod")
	fl.StringVar(&c.IP6, "ip6", "", "Specify a static IPv6 address for the pod")
	fl.StringVar(&c.MAC, "mac-address", "", "Pod MAC address (e.g. 92:d0:c6:0a:29:33)")
	fl.StringSliceVar(&c.NetworkAliases, "network-alias", nil, "Add network-scoped alias for the pod")
}

// check refuses by name what would have no effect.
func (f *createFlags) check() error {
	if f.shmSystem != "" {
		return errdef.Newf(errdef.ErrUnsupported, "--shm-size-systemd is not supported for pods: give it to the container that systemd runs in")
	}
	return nil
}
