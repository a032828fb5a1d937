package engine

import (
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// setInit decides whether the command gets a first process above it, and
// which.
func (e *Engine) setInit(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	conf := &e.Config.Containers
	asked := deref(req.Init, false)
	if c.Init = asked || req.Init == nil && conf.Init && c.PIDMode == ""; !c.Init {
		return nil
	}
	if c.PIDMode != "" {
		return errdef.Newf(errdef.ErrInvalid, "cannot add init binary as PID 1 (PID namespace isn't private)")
	}
	c.InitPath = first(req.InitPath, conf.InitPath, e.Config.Engine.InitPath)
	if c.InitPath == "" {
		return nil
	}
	if _, err := os.Stat(c.InitPath); err != nil {
		return errdef.Newf(errdef.ErrNotFound, "container-init binary not found on the host: %w", err)
	}
	return nil
}

// addInit shows the container its init program. It comes after all other
// mounts, for one of them may be /run.
func (e *Engine) addInit(c *container.Config, spec *specs.Spec) error {
	if !c.Init {
		return nil
	}
	program := c.InitPath
	if program == "" {
		var err error
		if program, err = runtime.InstallPause(e.programDir()); err != nil {
			return fmt.Errorf("give the container an init program: %w", err)
		}
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{Destination: container.InitProgram, Type: "bind", Source: program,
		Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev"}})
	return nil
}
