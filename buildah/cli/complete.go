package cli

import (
	"github.com/podsuite/podsuite/shared/complete"
	"github.com/spf13/cobra"
)

// words are what the shell offers for buildah's commands.
func (a *app) words() complete.Words {
	anywhere := complete.Any(complete.Transports(), complete.Tags(a.config, ""), complete.Tags(a.config, "docker://"))
	return complete.Words{
		Args: map[string]complete.Values{
			"IMAGE":       complete.Any(a.imageNames, anywhere),
			"DESTINATION": anywhere,
			"REGISTRY":    complete.Logins(a.config),
		},
		Options: map[string]complete.Values{
			"format":    complete.OneOf("oci", "docker"),
			"isolation": complete.OneOf("oci", "rootless", "chroot"),
			"network":   complete.OneOf("host", "none", "private"),
			"policy":    complete.OneOf("always", "missing", "never", "newer"),
		},
	}
}

// imageNames lists the images of the store; one that can't be opened has none.
func (a *app) imageNames(*cobra.Command, string) []string {
	st, _, err := a.open()
	if err != nil {
		return nil
	}
	defer st.Close()
	images, err := st.Images()
	if err != nil {
		return nil
	}
	var names []string
	for _, img := range images {
		names = append(append(names, img.Names...), img.ID[:12])
	}
	return names
}
