package image

import (
	"fmt"
	"io"
	"strings"

	"github.com/docker/go-units"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/spf13/cobra"
)

// NewTree is `podman image tree`.
func NewTree(a *app.App) *cobra.Command {
	var whatRequires bool
	cmd := &cobra.Command{
		Use:     "tree [options] IMAGE",
		Short:   "Print layer hierarchy of an image in a tree format",
		Long:    "Prints layer hierarchy of an image in a tree format",
		Args:    cobra.ExactArgs(1),
		Example: "  podman image tree alpine:latest",
	}
	cmd.Flags().BoolVar(&whatRequires, "whatrequires", false, "Show all child images and layers of the specified image")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		image, err := e.ImageLayers(args[0], whatRequires)
		if err != nil {
			return err
		}
		return printTree(cmd.OutOrStdout(), image, whatRequires)
	})
	return cmd
}

func printTree(w io.Writer, image *engine.ImageLayers, whatRequires bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Image ID: %s\nTags:     %v\nSize:     %s\n", shortID(image.ID, false), image.Names, units.HumanSize(float64(image.Size)))
	switch {
	case len(image.Chain) == 0:
		b.WriteString("No Image Layers\n")
	case whatRequires:
		b.WriteString("Image Layers\n")
		printLayers(&b, "", []*engine.ImageLayer{image.Chain[len(image.Chain)-1]})
	default:
		b.WriteString("Image Layers\n")
		for i, l := range image.Chain {
			fmt.Fprintln(&b, branch(i == len(image.Chain)-1)+layerLine(l))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printLayers draws layers and what is on top of them. A chain of only
// children that ends a list goes on at the same level.
func printLayers(w io.Writer, indent string, layers []*engine.ImageLayer) {
	for i, l := range layers {
		last := i == len(layers)-1
		if last && len(l.Children) == 1 {
			fmt.Fprintln(w, indent+branch(false)+layerLine(l))
			printLayers(w, indent, l.Children)
			return
		}
		fmt.Fprintln(w, indent+branch(last)+layerLine(l))
		below := "│   "
		if last {
			below = "    "
		}
		printLayers(w, indent+below, l.Children)
	}
}

func branch(last bool) string {
	if last {
		return "└── "
	}
	return "├── "
}

func layerLine(l *engine.ImageLayer) string {
	line := fmt.Sprintf("ID: %s Size: %s", shortID(l.ID, false), units.HumanSize(float64(max(l.UncompressedSize, 0))))
	if len(l.TopOf) > 0 {
		line += fmt.Sprintf(" Top Layer of: %v", l.TopOf)
	}
	return line
}
