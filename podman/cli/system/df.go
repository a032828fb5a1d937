package system

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// dfRow is a row of df, with the names that templates and JSON use.
type dfRow struct {
	Type           string
	Total          int
	Active         int
	RawSize        int64
	RawReclaimable int64
	TotalCount     int
	Size           string
	Reclaimable    string
}

func newRow(kind string, total, active int, size, reclaimable int64) dfRow {
	percent := 0
	if size > 0 {
		percent = int(reclaimable * 100 / size)
	}
	return dfRow{kind, total, active, size, reclaimable, total, human(size), fmt.Sprintf("%s (%d%%)", human(reclaimable), percent)}
}

func human(n int64) string { return units.HumanSize(float64(n)) }

func newDf(a *app.App) *cobra.Command {
	var format string
	var verbose bool
	cmd := &cobra.Command{
		Use:     "df [options]",
		Short:   "Show podman disk usage",
		Long:    "Shows what images, containers and volumes take up, and how much of it nobody uses.",
		Args:    cobra.NoArgs,
		Example: "  podman system df\n  podman system df --verbose",
	}
	cmd.Flags().StringVar(&format, "format", "", "Pretty-print images using a Go template")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "Show detailed information on disk usage")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if verbose && format != "" {
			return errdef.Newf(errdef.ErrInvalid, "cannot combine --format and --verbose flags")
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		u, err := e.DiskUsage()
		if err != nil {
			return err
		}
		if verbose {
			return printVerbose(cmd.OutOrStdout(), u)
		}
		return cliout.Rows(cmd.OutOrStdout(), format, "table {{.Type}}\t{{.Total}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
			map[string]string{}, summaries(u), cliout.RowsOptions{Name: "df"})
	}
	return cmd
}

func summaries(u *engine.DiskUsage) []dfRow {
	var active int
	var used int64
	for i := range u.Images {
		if u.Images[i].Active() {
			active++
			used += u.Images[i].Size
		}
	}
	rows := []dfRow{newRow("Images", len(u.Images), active, u.ImagesSize, max(u.ImagesSize-used, 0))}
	var size, free int64
	for i := range u.Containers {
		size += u.Containers[i].Size
		if s := u.Containers[i].State; s != engine.Running && s != engine.Paused {
			free += u.Containers[i].Size
		}
	}
	rows = append(rows, newRow("Containers", len(u.Containers), u.ActiveContainers(), size, free))
	size, free, active = 0, 0, 0
	for _, v := range u.Volumes {
		size += v.Size
		if v.Links == 0 {
			free += v.Size
		} else {
			active++
		}
	}
	return append(rows, newRow("Local Volumes", len(u.Volumes), active, size, free))
}

func printVerbose(w io.Writer, u *engine.DiskUsage) error {
	images := [][]string{{"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"}}
	for i := range u.Images {
		image := &u.Images[i]
		names := image.Names
		if len(names) == 0 {
			names = []string{"<none>:<none>"}
		}
		for _, name := range names {
			repository, tag := name, "<none>"
			if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
				repository, tag = name[:at], name[at+1:]
			}
			images = append(images, []string{repository, tag, image.ID[:12], cliout.HumanDuration(time.Since(image.Created)), human(image.Size),
				human(image.Shared), human(image.Unique), fmt.Sprint(image.Containers)})
		}
	}
	containers := [][]string{{"CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"}}
	for i := range u.Containers {
		c := &u.Containers[i]
		containers = append(containers, []string{c.ID[:12], c.ImageID[:min(12, len(c.ImageID))], strings.Join(c.Command, " "), fmt.Sprint(c.Volumes),
			human(c.Size), cliout.HumanDuration(time.Since(c.CreatedTime())), c.State, c.Name})
	}
	volumes := [][]string{{"VOLUME NAME", "LINKS", "SIZE"}}
	for _, v := range u.Volumes {
		volumes = append(volumes, []string{v.Name, fmt.Sprint(v.Links), human(v.Size)})
	}
	for i, part := range []struct {
		title string
		lines [][]string
	}{{"Images", images}, {"Containers", containers}, {"Local Volumes", volumes}} {
		_, err := fmt.Fprintf(w, "%s%s space usage:\n\n", map[bool]string{true: "\n"}[i > 0], part.title)
		if err = cmp.Or(err, cliout.Columns(w, part.lines)); err != nil {
			return err
		}
	}
	return nil
}
