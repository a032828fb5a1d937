package engine

import (
	"encoding/json"
	"strconv"
	"strings"

	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/shared/errdef"
)

// applyChanges puts instructions, written as in a Containerfile or as
// KEY=VALUE, on an image's configuration.
func applyChanges(c *spec.ImageConfig, changes []string) error {
	for _, change := range changes {
		text := strings.TrimLeft(change, " \t")
		at := strings.IndexAny(text, " \t=")
		if at < 0 {
			return errdef.Newf(errdef.ErrInvalid, "invalid change %q - must be formatted as KEY VALUE", change)
		}
		if err := applyChange(c, strings.ToUpper(text[:at]), strings.TrimSpace(text[at+1:])); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid change %q - %w", change, err)
		}
	}
	return nil
}

func applyChange(c *spec.ImageConfig, instruction, value string) error {
	switch instruction {
	case "CMD":
		c.Cmd = commandLine(value)
	case "ENTRYPOINT":
		c.Entrypoint = commandLine(value)
	case "ENV":
		name, content, _ := strings.Cut(value, "=")
		if name == "" {
			return errdef.Newf(errdef.ErrInvalid, "ENV must have a name")
		}
		setVariable(c, name, unquote(content))
	case "EXPOSE":
		return expose(c, value)
	case "LABEL":
		name, content, ok := strings.Cut(value, "=")
		if !ok || name == "" {
			return errdef.Newf(errdef.ErrInvalid, "LABEL must be formatted key=value")
		}
		put(&c.Labels, unquote(name), unquote(content))
	case "STOPSIGNAL":
		if _, err := ParseSignal(value); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "KILLSIGNAL must be given a valid signal: %w", err)
		}
		c.StopSignal = value
	case "USER":
		c.User = value
	case "VOLUME":
		for _, place := range listOf(value) {
			put(&c.Volumes, place, struct{}{})
		}
	case "WORKDIR":
		c.WorkingDir = value
	case "ONBUILD":
		return errdef.Newf(errdef.ErrUnsupported, "ONBUILD can't be kept in an image of the OCI format")
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid instruction %s", instruction)
	}
	return nil
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// commandLine reads a JSON list, or text for the shell.
func commandLine(value string) []string {
	var words []string
	if strings.HasPrefix(value, "[") && json.Unmarshal([]byte(value), &words) == nil {
		return words
	}
	return []string{"/bin/sh", "-c", value}
}

// listOf reads a JSON list, or words.
func listOf(value string) []string {
	var words []string
	if strings.HasPrefix(value, "[") && json.Unmarshal([]byte(value), &words) == nil {
		return words
	}
	return strings.Fields(value)
}

// setVariable adds a variable, or replaces it.
func setVariable(c *spec.ImageConfig, name, value string) {
	for i, v := range c.Env {
		if strings.HasPrefix(v, name+"=") {
			c.Env[i] = name + "=" + value
			return
		}
	}
	c.Env = append(c.Env, name+"="+value)
}

func expose(c *spec.ImageConfig, value string) error {
	number, protocol, has := strings.Cut(value, "/")
	if !has {
		protocol = "tcp"
	}
	switch protocol {
	case "tcp", "udp", "sctp":
	default:
		return errdef.Newf(errdef.ErrInvalid, "EXPOSE protocol must be tcp, udp or sctp: %q", protocol)
	}
	port, err := strconv.Atoi(number)
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "EXPOSE port must be an integer: %w", err)
	}
	if port < 1 || port > 65535 {
		return errdef.Newf(errdef.ErrInvalid, "EXPOSE port must be between 1 and 65535")
	}
	put(&c.ExposedPorts, number+"/"+protocol, struct{}{})
	return nil
}

// unquote takes one pair of quotes off a text that is quoted as a whole.
func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] && strings.Count(s, s[:1]) == 2 {
		return s[1 : len(s)-1]
	}
	return s
}
