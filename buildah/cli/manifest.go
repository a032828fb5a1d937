package cli

import (
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/manifestcmd"
	"github.com/podsuite/podsuite/shared/manifestlist"
)

func newManifest(a *app) *cobra.Command {
	return manifestcmd.New(manifestcmd.Host{
		Program: "buildah",
		Lists: func() (manifestlist.Lists, func(), error) {
			st, cfg, err := a.open()
			if err != nil {
				return manifestlist.Lists{}, nil, err
			}
			return manifestlist.Lists{Store: st, Config: cfg}, func() { st.Close() }, nil
		},
		Remove: func(cmd *cobra.Command, lists []string, _ bool) error {
			return a.removing(cmd, &rmiFlags{}, func(r *remover) error { return r.lists(lists) })
		},
	})
}

// lists removes lists of images; the images stay.
func (r *remover) lists(names []string) error {
	all := manifestlist.Lists{Store: r.st, Config: r.cfg}
	var failed []error
	for _, name := range names {
		_, err := all.Find(name)
		if err == nil {
			err = r.name(name)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return listed(failed)
}
