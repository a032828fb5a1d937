package complete

import (
	"context"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/spf13/cobra"
)

// patience bounds how long somebody at the Tab key waits for a registry.
const patience = 2 * time.Second

// Configuration loads the configuration when it is needed.
type Configuration func() (*config.Config, error)

// Tags asks a registry for the tags of [PREFIX]HOST/REPOSITORY:… once the
// colon is typed.
func Tags(load Configuration, prefix string) Values {
	return func(cmd *cobra.Command, typed string) []string {
		name, ok := strings.CutPrefix(typed, prefix)
		i := strings.LastIndexByte(name, ':')
		if !ok || i < 0 || strings.Contains(name[i:], "/") {
			return nil
		}
		n, err := ref.Parse(name[:i])
		if err != nil || n.IsShort() {
			return nil
		}
		cfg, err := load()
		if err != nil {
			return nil
		}
		client, err := registry.Open(cfg, n.Normalized(), registry.Options{})
		if err != nil {
			return nil
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		tags, err := client.Tags(ctx)
		if err != nil {
			return nil
		}
		for j, tag := range tags {
			tags[j] = typed[:len(typed)-len(name)+i+1] + tag
		}
		return tags
	}
}

// Logins are the registries and namespaces that credentials are kept for.
func Logins(load Configuration) Values {
	return func(*cobra.Command, string) []string {
		cfg, err := load()
		if err != nil {
			return nil
		}
		store, err := auth.Open(cfg, "")
		if err != nil {
			return nil
		}
		keys, err := store.Keys()
		if err != nil {
			return nil
		}
		return keys
	}
}

// Transports are the beginnings of references to images that may lie
// anywhere.
func Transports() Values {
	return OneOf("containers-storage:", "dir:", "docker://", "docker-archive:", "docker-daemon:", "oci:", "oci-archive:")
}
