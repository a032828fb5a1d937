package engine

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// setSecurity reads what the container may do, and its kernel settings.
func setSecurity(c *container.Config, req *CreateRequest, image *v1.Config) error {
	s := &c.Security
	*s = container.Security{Privileged: req.Privileged, ReadOnly: req.ReadOnly, CapAdd: req.CapAdd, CapDrop: req.CapDrop}
	for _, opt := range req.SecurityOpt {
		if err := setSecurityOpt(s, opt); err != nil {
			return err
		}
	}
	if err := setSeccompPolicy(s, req.SeccompPolicy, image); err != nil {
		return err
	}
	if profile, err := seccompProfile(s); err != nil {
		return err
	} else if profile != nil {
		if _, err := runtime.ParseSeccomp(profile, nil); err != nil {
			return err
		}
	}
	for _, kv := range req.Sysctl {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return errdef.Newf(errdef.ErrInvalid, "%s is invalid, sysctl values must be in the form of KEY=VALUE", kv)
		}
		if err := runtime.CheckSysctl(key); err != nil {
			return err
		}
		if c.Sysctl == nil {
			c.Sysctl = map[string]string{}
		}
		c.Sysctl[key] = value
	}
	return nil
}

// setSecurityOpt reads one option, KEY=VALUE or KEY:VALUE.
func setSecurityOpt(s *container.Security, opt string) (err error) {
	key, value, ok := strings.Cut(opt, "=")
	if !ok {
		key, value, ok = strings.Cut(opt, ":")
	}
	switch {
	case key == "no-new-privileges":
		s.NoNewPrivileges = true
		if ok {
			if s.NoNewPrivileges, err = strconv.ParseBool(value); err != nil {
				return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt 2: %q: want true or false", opt)
			}
		}
		return nil
	case !ok || value == "":
		return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt 1: %q", opt)
	}
	switch key {
	case "seccomp":
		s.Seccomp = value
	case "unmask":
		s.Unmask = append(s.Unmask, strings.Split(value, ":")...)
	case "mask":
		paths := strings.Split(value, ":")
		for _, p := range paths {
			if !path.IsAbs(p) {
				return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt %q: the path %q is not absolute", opt, p)
			}
		}
		s.Mask = append(s.Mask, paths...)
	case "systempaths":
		if value != "unconfined" {
			return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt %q: want systempaths=unconfined", opt)
		}
		s.Unmask = append(s.Unmask, "ALL")
	case "proc-opts":
		s.ProcOpts = append(s.ProcOpts, strings.Split(value, ",")...)
	case "label":
		return checkLabel(opt, value)
	case "apparmor":
		if s.AppArmor = value; value != "unconfined" && !exists("/sys/kernel/security/apparmor") {
			return errdef.Newf(errdef.ErrUnsupported, "apparmor profile %q specified, but Apparmor is not enabled on this system", value)
		}
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt 2: %q", opt)
	}
	return nil
}

// checkLabel: where the kernel has no SELinux, labels mean nothing.
func checkLabel(opt, value string) error {
	kind, _, _ := strings.Cut(value, ":")
	switch {
	case value == "disable":
		return nil
	case !slices.Contains([]string{"user", "role", "type", "level", "filetype", "nested"}, kind):
		return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt %q: label takes disable, nested, user, role, type, level or filetype", opt)
	case value == "nested", exists("/sys/fs/selinux/enforce"):
		return errdef.Newf(errdef.ErrUnsupported, "security option %q is not supported: containers get no SELinux labels here", opt)
	}
	return nil
}

// seccompLabel is the image's label that has a seccomp profile.
const seccompLabel = "io.containers.seccomp.profile"

// setSeccompPolicy takes the profile from the image, unless the user named one.
func setSeccompPolicy(s *container.Security, policy string, image *v1.Config) error {
	switch policy {
	case "", "default":
		return nil
	case "image":
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid seccomp policy %q: valid policies are [\"default\" \"image\"]", policy)
	}
	if s.Seccomp != "" {
		return nil
	}
	if s.SeccompText = image.Labels[seccompLabel]; s.SeccompText == "" {
		return errdef.Newf(errdef.ErrInvalid, "no seccomp policy defined by image")
	}
	return nil
}

// seccompProfile is a profile other than the default one; nil for that or none.
func seccompProfile(s *container.Security) ([]byte, error) {
	if s.SeccompText != "" {
		return []byte(s.SeccompText), nil
	}
	if s.Seccomp == "" || s.Seccomp == "unconfined" {
		return nil, nil
	}
	profile, err := os.ReadFile(s.Seccomp)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "opening seccomp profile failed: %w", err)
	}
	return profile, nil
}

// confine puts the container's masks and the options of its /proc into the
// specification.
func confine(s *container.Security, spec *specs.Spec) {
	hidden := func(p string) bool {
		return slices.ContainsFunc(s.Unmask, func(pattern string) bool {
			ok, _ := path.Match(pattern, p)
			return ok || pattern == "ALL"
		})
	}
	spec.Linux.MaskedPaths = append(slices.DeleteFunc(spec.Linux.MaskedPaths, hidden), s.Mask...)
	spec.Linux.ReadonlyPaths = slices.DeleteFunc(spec.Linux.ReadonlyPaths, hidden)
	for i := range spec.Mounts {
		if m := &spec.Mounts[i]; m.Type == "proc" {
			m.Options = append(m.Options, s.ProcOpts...)
		}
	}
	if s.AppArmor != "" && s.AppArmor != "unconfined" {
		spec.Process.ApparmorProfile = s.AppArmor
	}
}
