package cli

import (
	"slices"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/complete"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/spf13/cobra"
)

// words are what the shell offers for podman's commands.
func words(a *app.App) complete.Words {
	images := stored(a, imageNames)
	containers := stored(a, containerNames)
	volumes := stored(a, volumeNames)
	pods := stored(a, podNames)
	networks := stored(a, networkNames)
	signals := complete.OneOf("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGSTOP", "SIGCONT", "SIGWINCH")
	anywhere := complete.Any(complete.Transports(), complete.Tags(a.Config, ""), complete.Tags(a.Config, "docker://"))
	paths := complete.Any(suffixed(containers, ":"))
	return complete.Words{
		Args: map[string]complete.Values{
			"IMAGE":       complete.Any(images, onPull(anywhere)),
			"NAME":        onImages(images),
			"TARGET_NAME": images,
			"REFERENCE":   images,
			"DESTINATION": anywhere,
			"CONTAINER":   containers,
			"SRC_PATH":    paths,
			"DEST_PATH":   paths,
			"VOLUME":      volumes,
			"POD":         pods,
			"NETWORK":     networks,
			"SECRET":      stored(a, secretNames),
			"ARTIFACT":    stored(a, artifactNames),
			"REGISTRY":    complete.Logins(a.Config),
			"LIST":        images,
		},
		Options: map[string]complete.Values{
			"attach":       complete.OneOf("stdin", "stdout", "stderr"),
			"cap-add":      capabilities,
			"cap-drop":     capabilities,
			"cgroupns":     complete.OneOf("host", "private"),
			"cgroups":      complete.OneOf("enabled", "disabled", "no-conmon", "split"),
			"condition":    complete.OneOf("configured", "created", "exited", "healthy", "initialized", "paused", "removing", "running", "stopped", "stopping", "unhealthy", "unknown"),
			"filter":       filters,
			"format":       formats,
			"image-volume": complete.OneOf("anonymous", "bind", "tmpfs", "ignore"),
			"ipc":          complete.OneOf("host", "private", "shareable", "none", "container:", "ns:"),
			"log-driver":   complete.OneOf("k8s-file", "json-file", "journald", "passthrough", "none"),
			"init-ctr":     complete.OneOf("always", "once"),
			"exit-policy":  complete.OneOf("continue", "stop"),
			"pod":          pods,
			"requires":     containers,
			"share":        complete.OneOf("cgroup", "ipc", "net", "pid", "uts", "none"),
			"net":          complete.Any(networkModes, networks),
			"network":      complete.Any(networkModes, networks),
			"pid":          complete.OneOf("host", "private", "container:", "ns:"),
			"policy":       complete.OneOf("always", "missing", "never", "newer"),
			"restart":      complete.OneOf("no", "always", "on-failure", "unless-stopped"),
			"secret":       notOnBuild(stored(a, secretNames)),
			"security-opt": complete.OneOf("apparmor=", "label=", "mask=", "no-new-privileges", "seccomp=", "unmask="),
			"signal":       signals,
			"sort":         sorts,
			"stop-signal":  signals,
			"userns":       complete.OneOf("auto", "host", "keep-id", "nomap", "private", "ns:"),
			"uts":          complete.OneOf("host", "private", "ns:"),
			"volume":       suffixed(volumes, ":"),
			"volumes-from": containers,
		},
	}
}

// stored lists names of objects of the store. A store that can't be opened
// has none: there is nobody to tell.
func stored(a *app.App, list func(*engine.Engine) []string) complete.Values {
	return func(*cobra.Command, string) []string {
		e, err := a.Engine()
		if err != nil {
			return nil
		}
		defer e.Close()
		return list(e)
	}
}

func imageNames(e *engine.Engine) []string {
	images, err := e.Store.Images()
	if err != nil {
		return nil
	}
	var names []string
	for _, img := range images {
		for _, name := range img.Names {
			if strings.Contains(name, "@") {
				continue
			}
			names = append(names, name)
			// The short form serves where nothing else has it.
			if short, ok := strings.CutPrefix(name, "localhost/"); ok {
				names = append(names, short)
			}
		}
		names = append(names, img.ID[:12])
	}
	return names
}

func containerNames(e *engine.Engine) []string {
	all, err := e.List(func(string, string, *container.Summary) bool { return true })
	if err != nil {
		return nil
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Name, c.ID[:12])
	}
	return names
}

func podNames(e *engine.Engine) []string {
	pods, err := e.Pods().List()
	if err != nil {
		return nil
	}
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	return names
}

func volumeNames(e *engine.Engine) []string {
	all, err := e.Volumes().List()
	if err != nil {
		return nil
	}
	var names []string
	for _, v := range all {
		names = append(names, v.Name)
	}
	return names
}

func networkNames(e *engine.Engine) []string {
	all, err := e.ListNetworks(nil)
	if err != nil {
		return nil
	}
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	return names
}

func secretNames(e *engine.Engine) []string {
	all, err := e.Secrets().List()
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

func artifactNames(e *engine.Engine) []string {
	all, err := e.Artifacts().List()
	if err != nil {
		return nil
	}
	var names []string
	for _, a := range all {
		names = append(names, a.Name)
	}
	return names
}

// suffixed puts what follows a name behind it.
func suffixed(values complete.Values, suffix string) complete.Values {
	return func(cmd *cobra.Command, typed string) []string {
		var out []string
		for _, v := range values(cmd, typed) {
			out = append(out, v+suffix)
		}
		return out
	}
}

// onPull offers values to the commands that take images from elsewhere.
func onPull(values complete.Values) complete.Values {
	return func(cmd *cobra.Command, typed string) []string {
		if !slices.Contains([]string{"pull", "run", "create"}, cmd.Name()) {
			return nil
		}
		return values(cmd, typed)
	}
}

// onImages offers names to the commands that give one to an image.
func onImages(values complete.Values) complete.Values {
	return func(cmd *cobra.Command, typed string) []string {
		if !slices.Contains([]string{"untag", "save", "tag"}, cmd.Name()) {
			return nil
		}
		return values(cmd, typed)
	}
}

// notOnBuild offers values to all commands but build, whose secrets are files.
func notOnBuild(values complete.Values) complete.Values {
	return func(cmd *cobra.Command, typed string) []string {
		if cmd.Name() == "build" {
			return nil
		}
		return values(cmd, typed)
	}
}

func capabilities(*cobra.Command, string) []string {
	all, err := runtime.AllCapabilities()
	if err != nil {
		return nil
	}
	return append(all, "ALL")
}

func networkModes(*cobra.Command, string) []string {
	return []string{"bridge", "host", "none", "pasta", "private", "container:", "ns:"}
}

func filters(cmd *cobra.Command, _ string) []string {
	switch cmd.CommandPath() {
	case "podman images", "podman image ls", "podman image list":
		return []string{"after=", "before=", "containers=", "dangling=", "digest=", "id=", "intermediate=", "label=", "manifest=", "readonly=", "reference=", "since=", "until="}
	case "podman ps", "podman container ls", "podman container ps", "podman container list":
		return []string{"ancestor=", "before=", "exited=", "health=", "id=", "label=", "name=", "network=", "pod=", "restart-policy=", "since=", "status=", "until=", "volume="}
	case "podman volume ls", "podman volume list":
		return []string{"anonymous=", "dangling=", "driver=", "label=", "name=", "opt=", "scope=", "since=", "until="}
	case "podman search":
		return []string{"is-official=", "stars="}
	}
	return []string{"label=", "until="}
}

func formats(cmd *cobra.Command, _ string) []string {
	switch cmd.Name() {
	case "save":
		return []string{"docker-archive", "docker-dir", "oci-archive", "oci-dir"}
	case "push":
		return []string{"oci", "v2s2"}
	case "build", "commit":
		return []string{"docker", "oci"}
	}
	return []string{"json", "table", "{{."}
}

func sorts(cmd *cobra.Command, _ string) []string {
	if strings.HasPrefix(cmd.CommandPath(), "podman image") {
		return []string{"created", "id", "repository", "size", "tag"}
	}
	return []string{"command", "created", "id", "image", "names", "runningfor", "size", "status"}
}
