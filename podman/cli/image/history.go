package image

import (
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// NewHistory is `podman history`.
func NewHistory(a *app.App) *cobra.Command {
	var format string
	var human, noTrunc, quiet bool
	cmd := &cobra.Command{
		Use:     "history [options] IMAGE",
		Short:   "Show history of a specified image",
		Long:    "Displays the history of an image.\n\n  The information can be printed out in an easy to read, or user specified format, and can be truncated.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman history quay.io/fedora/fedora",
	}
	cmd.Flags().StringVar(&format, "format", "", "Change the output to JSON or a Go template")
	cmd.Flags().BoolVarP(&human, "human", "H", true, "Display sizes and dates in human readable format")
	cmd.Flags().BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the output")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Display the numeric IDs only")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		steps, err := e.ImageHistory(args[0])
		if err != nil {
			return err
		}
		if format == "json" {
			return cliout.JSON(cmd.OutOrStdout(), historyJSON(steps), 0)
		}
		rows := make([]step, len(steps))
		for i := range steps {
			rows[i] = step{&steps[i], human, noTrunc}
		}
		if quiet {
			format = "{{.ID}}"
		}
		const table = "table {{.ID}}\t{{.Created}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
		return cliout.Rows(cmd.OutOrStdout(), format, table, map[string]string{"CreatedSince": "CREATED"}, rows, cliout.RowsOptions{Name: "history"})
	}
	return cmd
}

// step gives the placeholders of history --format.
type step struct {
	s            *engine.ImageStep
	human, whole bool
}

func (s step) ID() string {
	if s.whole || s.s.ID == "<missing>" {
		return s.s.ID
	}
	return shortID(s.s.ID, false)
}

func (s step) Created() string {
	if s.human {
		return s.CreatedSince()
	}
	return s.CreatedAt()
}
func (s step) CreatedAt() string    { return s.s.Created.UTC().Format(time.RFC3339) }
func (s step) CreatedSince() string { return cliout.Ago(s.s.Created) }
func (s step) Comment() string      { return s.s.Comment }
func (s step) Tags() []string       { return s.s.Tags }
func (s step) CreatedBy() string {
	const most = 45
	if by := []rune(s.s.By); !s.whole && len(by) > most {
		return string(by[:most-3]) + "..."
	}
	return s.s.By
}

func (s step) Size() string {
	if !s.human {
		return strconv.FormatInt(s.s.Size, 10)
	}
	return strings.ReplaceAll(cliout.HumanSize(s.s.Size), " ", "")
}

// historyEntry is an element of `history --format json`, with the reference's
// keys.
type historyEntry struct {
	ID        string    `json:"id"`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"CreatedBy"`
	Tags      []string  `json:"tags,omitempty"`
	Size      int64     `json:"size"`
	Comment   string    `json:"comment,omitempty"`
	CreatedAt string    `json:"Created"`
}

func historyJSON(steps []engine.ImageStep) []historyEntry {
	entries := make([]historyEntry, len(steps))
	for i, s := range steps {
		entries[i] = historyEntry{s.ID, s.Created, s.By, s.Tags, s.Size, s.Comment, s.Created.UTC().Format(time.RFC3339)}
	}
	return entries
}
