package cli

import (
	"github.com/podsuite/podsuite/shared/complete"
	"github.com/podsuite/podsuite/shared/config"
)

// words are what the shell offers for skopeo's commands.
func words() complete.Words {
	load := func() (*config.Config, error) { return config.Load(config.Options{}) }
	images := complete.Any(complete.Transports(), complete.Tags(load, "docker://"))
	return complete.Words{
		Args: map[string]complete.Values{
			"SOURCE-IMAGE":      images,
			"DESTINATION-IMAGE": images,
			"IMAGE-NAME":        images,
			"REPOSITORY-NAME":   complete.OneOf("docker://", "docker-archive:"),
			"REGISTRY":          complete.Logins(load),
		},
		Options: map[string]complete.Values{
			"format": complete.OneOf("oci", "v2s1", "v2s2"),
			"src":    complete.OneOf("docker", "dir", "yaml"),
			"dest":   complete.OneOf("docker", "dir"),
		},
	}
}
