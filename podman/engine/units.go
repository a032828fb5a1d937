package engine

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/systemd"
	"github.com/podsuite/podsuite/shared/errdef"
)

// unitEnv names, for the container, the unit that it is started by.
const unitEnv = "PODMAN_SYSTEMD_UNIT"

// addUnit notes by which unit of systemd's this command was started.
func addUnit(labels map[string]string) {
	if unit := os.Getenv(unitEnv); unit != "" {
		labels[unitEnv] = unit
	}
}

// stopGrace is how many seconds a service gets to stop beyond what its
// container gets.
const stopGrace = 60

// UnitRequest asks for the units of a container or a pod.
type UnitRequest struct {
	Target   string
	Names    bool // in the place of IDs
	New      bool // the units make and remove the containers
	Template bool
	Header   bool

	ContainerPrefix, PodPrefix, Separator string

	RestartPolicy string // "" is the container's, or on-failure
	RestartSec    uint
	StartTimeout  uint  // seconds; 0 is systemd's
	StopTimeout   *uint // seconds; nil is the container's
	Asked         map[systemd.DependsOn][]string
	Env           []string // NAME=VALUE, NAME or PREFIX*

	// Split takes the command line apart by which something was made.
	Split func(line []string) (systemd.Command, error)
}

// Unit is a unit file.
type Unit struct {
	Name string // without .service
	Text string
}

func (r *UnitRequest) check() error {
	policies := []string{"", "no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"}
	if !slices.Contains(policies, r.RestartPolicy) {
		return errdef.Newf(errdef.ErrInvalid, "%s is not a valid restart policy", r.RestartPolicy)
	}
	for _, part := range []string{r.ContainerPrefix, r.PodPrefix, r.Separator} {
		if !systemd.IsUnitName(part) {
			return errdef.Newf(errdef.ErrInvalid, "%q can't be in the name of a unit", part)
		}
	}
	for _, names := range r.Asked {
		for _, name := range names {
			if name == "" || !systemd.IsUnitName(name) {
				return errdef.Newf(errdef.ErrInvalid, "%q is no name of a unit", name)
			}
		}
	}
	return nil
}

// unitName is the name of the unit of a container or a pod.
func (r *UnitRequest) unitName(prefix, id, name string) string {
	if r.Names {
		id = name
	}
	if prefix != "" {
		id = prefix + r.Separator + id
	}
	return id
}

// Units writes the units of a container, or of a pod and its containers, the
// pod's first.
func (e *Engine) Units(req *UnitRequest) ([]Unit, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	var err error
	r := *req
	if r.Env, err = unitEnvironment(req.Env); err != nil {
		return nil, err
	}
	found, err := e.Lookup(r.Target)
	if isNotFound(err) {
		return e.podUnits(&r)
	} else if err != nil {
		return nil, err
	}
	unit, err := e.containerUnit(&r, found.ID, nil, nil)
	return []Unit{unit}, err
}

func unitEnvironment(asked []string) (env []string, err error) {
	for _, kv := range asked {
		if env, err = addEnv(env, kv); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// service is what the units of containers and pods have in common.
func (e *Engine) service(r *UnitRequest, name string, stop uint) *systemd.Service {
	s := &systemd.Service{Name: name, Description: "Podman " + name + ".service", MountsFor: systemd.QuoteEnv(e.Store.RunRoot()), Asked: r.Asked, Env: r.Env,
		Restart: first(r.RestartPolicy, "on-failure"), RestartSec: r.RestartSec, TimeoutStart: r.StartTimeout, TimeoutStop: stop + stopGrace}
	if r.Header {
		s.Made, s.When = "Podman "+Version, time.Now()
	}
	return s
}

// program is how the units call podman, on the store that the container was
// made on.
func (e *Engine) program(made *systemd.Command) []string {
	return systemd.QuoteAll(append([]string{e.Self[0]}, made.Global...))
}

// containerUnit writes the unit of a container; in is the pod's service, where
// it is one of a pod's, and after are the units of others in it that it needs.
func (e *Engine) containerUnit(r *UnitRequest, id string, in *systemd.Service, after []string) (Unit, error) {
	c, err := e.configuration(id)
	if err != nil {
		return Unit{}, err
	}
	if c.Name, err = e.nameOf(id); err != nil {
		return Unit{}, err
	}
	made, err := r.Split(c.CreatedBy)
	if r.New && (err != nil || made.Verb == "pod create") {
		return Unit{}, errdef.Newf(errdef.ErrInvalid, "cannot use --new on container %q: it was not made with podman run or podman create", c.Name)
	}
	stop := fmt.Sprint(deref(r.StopTimeout, c.StopTimeout))
	s := e.service(r, r.unitName(r.ContainerPrefix, c.ID, c.Name), deref(r.StopTimeout, c.StopTimeout))
	if in != nil {
		s.BindsTo = append(after, in.Name+".service")
	}
	if r.Template {
		s.Name, s.Description = s.Name+"@", s.Description+" for %I"
	}
	podman := e.program(&made)
	if r.New {
		e.freshContainer(r, s, c, &made, in)
		s.Stop = slices.Concat(podman, []string{"stop", "--ignore", "-t", stop, cidFile})
		s.StopPost = slices.Concat(podman, []string{"rm", "-f", "--ignore", "-t", stop, cidFile})
		return Unit{s.Name, s.Text()}, nil
	}
	e.sameContainer(r, s, c, podman, stop)
	return Unit{s.Name, s.Text()}, nil
}

func (e *Engine) nameOf(id string) (string, error) {
	found, err := e.Lookup(id)
	return firstName(found.Names), err
}

// sameContainer has the service start and stop the container that there is.
func (e *Engine) sameContainer(r *UnitRequest, s *systemd.Service, c *container.Config, podman []string, stop string) {
	which := c.ID
	if r.Names {
		which = c.Name
	}
	s.Start = slices.Concat(podman, []string{"start", which})
	s.Stop = slices.Concat(podman, []string{"stop", "-t", stop, which})
	s.StopPost = s.Stop
	s.PIDFile = systemd.QuoteEnv(e.monitorPidFile(c))
}

const cidFile = "--cidfile=%t/%n.ctr-id"

// freshContainer has the service make the container as it was made, but for
// what a service needs.
func (e *Engine) freshContainer(r *UnitRequest, s *systemd.Service, c *container.Config, made *systemd.Command, in *systemd.Service) {
	s.MountsFor = "%t/containers"
	if r.RestartPolicy == "" && made.Has("restart") {
		s.Restart, s.StartLimitBurst = first(c.Restart.Policy, "no"), c.Restart.Retries
		if s.Restart == "unless-stopped" {
			s.Restart = "always"
		}
	}
	// The service restarts, follows and removes; and nobody looks on.
	made.Drop("restart", "cidfile", "rm", "attach")
	s.Start = append(e.program(made), "run", cidFile)
	if group := made.Value("cgroups"); group == "" || group == "enabled" {
		made.Drop("cgroups")
		s.Start = append(s.Start, "--cgroups=no-conmon")
	}
	s.Start = append(s.Start, "--rm")
	if in != nil {
		made.Drop("pod", "pod-id-file")
		s.Start = append(s.Start, "--pod-id-file", podIDFile(in))
	}
	if mode := made.Value("sdnotify"); mode == "" || mode == container.NotifyIgnore {
		made.Drop("sdnotify")
		s.Start = append(s.Start, "--sdnotify=conmon")
	}
	if made.Value("detach") == "false" {
		made.Drop("detach")
	}
	if !made.Has("detach") {
		s.Start = append(s.Start, "-d")
	}
	if made.Has("name") && !made.Has("replace") {
		s.Start = append(s.Start, "--replace")
	}
	name := c.Name
	if r.Template {
		name += "-%i"
	}
	s.Start = slices.Concat(s.Start, named(made, name), systemd.QuoteAll(made.Rest))
}

// named are the words of the options with the name that the container has now,
// which may be another one than it was made with: it was renamed, or it is a
// clone and its command the original's.
func named(made *systemd.Command, name string) (words []string) {
	for _, o := range made.Options {
		quoted := systemd.QuoteAll(o.Words)
		if len(o.Names) == 1 && o.Names[0] == "name" {
			quoted = []string{"--name", name}
			if len(o.Words) == 1 {
				quoted = []string{"--name=" + name}
			}
		}
		words = append(words, quoted...)
	}
	return words
}
