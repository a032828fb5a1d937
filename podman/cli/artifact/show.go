package artifact

import (
	"strconv"
	"strings"

	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/artifact"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// newList is `podman artifact ls`.
func newList(a *app.App) *cobra.Command {
	var format string
	var noTrunc, noHeading bool
	cmd := &cobra.Command{
		Use:     "ls [options]",
		Aliases: []string{"list"},
		Short:   "List OCI artifacts",
		Long:    "List OCI artifacts in local store",
		Args:    cobra.NoArgs,
		Example: "  podman artifact ls",
	}
	cmd.Flags().StringVar(&format, "format", "", "Format volume output using JSON or a Go template")
	cmd.Flags().BoolVar(&noTrunc, "no-trunc", false, "Do not truncate output")
	cmd.Flags().BoolVarP(&noHeading, "noheading", "n", false, "Do not print column headings")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		all, err := e.Artifacts().List()
		if err != nil {
			return err
		}
		rows := make([]row, len(all))
		for i, one := range all {
			rows[i] = newRow(one, noTrunc)
		}
		const table = "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.Created}}\t{{.Size}}"
		return cliout.Rows(cmd.OutOrStdout(), format, table, nil, rows, cliout.RowsOptions{Name: "artifact ls", NoHeading: noHeading})
	})
	return cmd
}

// row gives the placeholders of artifact ls --format; in JSON its fields are
// the reference's keys.
type row struct {
	Digest      string
	Repository  string
	Size        string
	Tag         string
	VirtualSize string

	artifact *artifact.Artifact
}

func newRow(a *artifact.Artifact, whole bool) row {
	r := row{artifact: a, Digest: a.Digest.Encoded(), VirtualSize: strconv.FormatInt(a.Size(), 10),
		Size: strings.ReplaceAll(cliout.HumanSize(a.Size()), " ", "")}
	if !whole {
		r.Digest = r.Digest[:12]
	}
	r.Repository = a.Name
	if name, tag := engine.SplitImageName(a.Name); tag != "<none>" {
		r.Repository, r.Tag = name, tag
	}
	return r
}

func (r row) Created() string {
	if r.artifact.Created().IsZero() {
		return ""
	}
	return cliout.Ago(r.artifact.Created())
}

func (r row) CreatedAt() string {
	if r.artifact.Created().IsZero() {
		return ""
	}
	return r.artifact.Created().String()
}

// newInspect is `podman artifact inspect`.
func newInspect(a *app.App) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "inspect [options] ARTIFACT",
		Short:   "Inspect an OCI artifact",
		Long:    "Provide details on an OCI artifact",
		Args:    cobra.ExactArgs(1),
		Example: "  podman artifact inspect quay.io/myimage/myartifact:latest",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format volume output using JSON or a Go template")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		found, err := e.Artifacts().Find(args[0])
		if err != nil {
			return err
		}
		shown := inspected{found.Manifest, found.Name, found.Digest.String()}
		if format == "json" || format == "" {
			return cliout.JSON(cmd.OutOrStdout(), shown, cliout.IndentInspect)
		}
		return cliout.Template(cmd.OutOrStdout(), "inspect", format, shown)
	})
	return cmd
}

// inspected is what inspect shows, with the reference's keys.
type inspected struct {
	Manifest spec.Manifest
	Name     string
	Digest   string
}

// Artifact is the whole, for templates that name it.
func (i inspected) Artifact() inspected { return i }

// TotalSizeBytes is the size of all files.
func (i inspected) TotalSizeBytes() int64 {
	return (&artifact.Artifact{Manifest: i.Manifest}).Size()
}
