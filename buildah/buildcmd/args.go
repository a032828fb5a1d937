package buildcmd

import (
	"fmt"
	"os"
	"strings"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/errdef"
)

// buildArgs reads --build-arg-file and --build-arg, which wins. A name without
// a value takes it from the environment, if it is there.
func buildArgs(args, files []string) (map[string]string, error) {
	var lines []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	all := map[string]string{}
	for _, kv := range append(lines, args...) {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			if value, ok = os.LookupEnv(name); !ok {
				delete(all, name)
				continue
			}
		}
		all[name] = value
	}
	return all, nil
}

// parseSecrets reads --secret id=ID[,src=FILE|,env=NAME][,type=file|env].
func parseSecrets(in []string) (map[string]build.Secret, error) {
	secrets := map[string]build.Secret{}
	for _, text := range in {
		var id, kind string
		var s build.Secret
		for _, field := range strings.Split(text, ",") {
			key, value, ok := strings.Cut(field, "=")
			if !ok {
				return nil, errdef.Newf(errdef.ErrInvalid, "incorrect secret flag format: %q should be KEY=VALUE", field)
			}
			switch key {
			case "id":
				id = value
			case "src", "source":
				s.File = value
			case "env":
				s.Env = value
			case "type":
				kind = value
			default:
				return nil, errdef.Newf(errdef.ErrInvalid, "incorrect secret flag format: unknown key %q", key)
			}
		}
		if id == "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "incorrect secret flag format: should be --secret id=foo,src=bar[,env=ENV][,type=file|env]")
		}
		if kind == "env" || s.File == "" && s.Env == "" {
			if s.Env == "" {
				s.Env, s.File = firstOf(s.File, id), ""
			}
			if _, ok := os.LookupEnv(s.Env); !ok && kind != "env" && exists(id) {
				s = build.Secret{File: id}
			}
		}
		secrets[id] = s
	}
	return secrets, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// cachePlaces reads --cache-from and --cache-to.
func cachePlaces(option string, in []string) ([]build.CachePlace, error) {
	var places []build.CachePlace
	for _, text := range in {
		place, err := build.ParseCachePlace(text)
		if err != nil {
			return nil, fmt.Errorf("unable to parse value provided `%s` to --%s: %w", in, option, err)
		}
		places = append(places, place)
	}
	return places, nil
}
