package engine

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
)

// secretsDir holds, in a container's directory on the run root, the secrets
// that it sees as files.
const secretsDir = "secrets"

// secretsMount is where a container sees its secrets.
const secretsMount = "/run/secrets"

// setSecrets reads the options that give the container secrets. Each has to
// be there.
func (e *Engine) setSecrets(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	for _, text := range req.Secrets {
		s, err := parseSecret(text)
		if err != nil {
			return err
		}
		kept, err := e.Secrets().Find(s.Name)
		if err != nil {
			return err
		}
		s.ID, s.Name = kept.ID, kept.Name
		if s.Target == "" {
			s.Target = s.Name
		}
		c.Secrets = append(c.Secrets, s)
	}
	return nil
}

// parseSecret reads NAME[,type=mount|env][,target=…][,uid=…][,gid=…][,mode=…];
// the name may come as source=NAME.
func parseSecret(text string) (container.Secret, error) {
	const readable = 0o444
	s := container.Secret{Type: container.SecretFile, Mode: readable}
	bad := func(why string) (container.Secret, error) {
		return s, errdef.Newf(errdef.ErrInvalid, "error parsing secret %q: %s", text, why)
	}
	fileOnly := ""
	for i, field := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(field, "=")
		if !ok && i == 0 {
			s.Name = field
			continue
		}
		if !ok {
			return bad("option " + strconv.Quote(field) + " must be in form option=value")
		}
		var err error
		switch key {
		case "source":
			s.Name = value
		case "type":
			if value != container.SecretFile && value != container.SecretEnv {
				return bad("type " + value + " is invalid: choose mount or env")
			}
			s.Type = value
		case "target":
			s.Target = value
		case "uid":
			fileOnly, err = key, parseUint32(value, 10, &s.UID)
		case "gid":
			fileOnly, err = key, parseUint32(value, 10, &s.GID)
		case "mode":
			fileOnly, err = key, parseUint32(value, 8, &s.Mode)
		default:
			return bad("option " + key + " is invalid")
		}
		if err != nil {
			return bad(key + " " + strconv.Quote(value) + " is no number")
		}
	}
	switch {
	case s.Name == "":
		return bad("no secret name")
	case s.Type == container.SecretEnv && fileOnly != "":
		return bad("uid, gid and mode are for secrets of type mount")
	case s.Type == container.SecretFile && s.Target != "" && !filepath.IsLocal(strings.TrimPrefix(s.Target, "/")):
		return bad("target " + strconv.Quote(s.Target) + " leads out of its directory")
	case s.Type == container.SecretEnv && strings.ContainsAny(s.Target, "=\x00"):
		return bad("target " + strconv.Quote(s.Target) + " is no name of a variable")
	}
	return s, nil
}

func parseUint32(text string, base int, to *uint32) error {
	n, err := strconv.ParseUint(text, base, 32)
	*to = uint32(n)
	return err
}

// secretData reads the data of the container's secrets, to lie with it.
func (e *Engine) secretData(c *container.Config) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, s := range c.Secrets {
		kept, err := e.Secrets().Find(s.ID)
		if err != nil {
			return nil, err
		}
		if all[container.SecretKey(s.ID)], err = e.Secrets().Data(kept); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// addSecrets gives the process its secrets: variables, and files in a
// directory on the run root that goes with the run.
func (e *Engine) addSecrets(c *container.Config, spec *specs.Spec) (err error) {
	if len(c.Secrets) == 0 {
		return nil
	}
	if spec.Process.Env, err = e.secretEnv(c, spec.Process.Env); err != nil {
		return err
	}
	dir := filepath.Join(e.Store.ContainerRunDir(c.ID), secretsDir)
	inside := filepath.Join(dir, "run") // what appears in secretsMount
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(inside, 0o755), e.giveToRoot(c, inside)); err != nil {
		return fmt.Errorf("write secrets: %w", err)
	}
	options := []string{"bind", "rprivate", "nosuid", "nodev", "noexec"}
	mounted := false
	for i, s := range c.Secrets {
		if s.Type != container.SecretFile {
			continue
		}
		at := filepath.Join(inside, s.Target)
		if path.IsAbs(s.Target) {
			at = filepath.Join(dir, strconv.Itoa(i))
			spec.Mounts = append(spec.Mounts, specs.Mount{Destination: path.Clean(s.Target), Type: "bind", Source: at, Options: options})
		} else if !mounted {
			spec.Mounts = append(spec.Mounts, specs.Mount{Destination: secretsMount, Type: "bind", Source: inside, Options: options})
			mounted = true
		}
		if err := e.writeSecret(c, &s, at); err != nil {
			return fmt.Errorf("write secret %s: %w", s.Name, err)
		}
	}
	return nil
}

func (e *Engine) writeSecret(c *container.Config, s *container.Secret, at string) error {
	data, err := e.Store.ContainerData(c.ID, container.SecretKey(s.ID))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(at, data, 0o600); err != nil {
		return err
	}
	if err := e.chownAs(c, at, int(s.UID), int(s.GID)); err != nil {
		return err
	}
	return os.Chmod(at, os.FileMode(s.Mode&0o777))
}

// secretEnv adds the secrets that are variables.
func (e *Engine) secretEnv(c *container.Config, env []string) ([]string, error) {
	for _, s := range c.Secrets {
		if s.Type != container.SecretEnv {
			continue
		}
		data, err := e.Store.ContainerData(c.ID, container.SecretKey(s.ID))
		if err != nil {
			return nil, err
		}
		env = setEnv(env, s.Target+"="+string(data))
	}
	return env, nil
}
