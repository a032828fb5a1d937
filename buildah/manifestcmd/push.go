package manifestcmd

import (
	"os"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/manifestlist"
	"github.com/spf13/cobra"
)

// newInspect is `manifest inspect`.
func newInspect(h Host) *cobra.Command {
	var reg cliflag.Registry
	cmd := &cobra.Command{
		Use:     "inspect [options] IMAGE",
		Short:   "Display the contents of a manifest list or image index",
		Long:    "Display the contents of a manifest list or image index.",
		Args:    cobra.ExactArgs(1),
		Example: "  " + h.Program + " manifest inspect localhost/list",
	}
	reg.BindAuthFile(cmd.Flags())
	reg.BindTLS(cmd.Flags())
	cmd.RunE = h.with(func(cmd *cobra.Command, lists manifestlist.Lists, args []string) error {
		o, err := reg.AskingOptions()
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		doc, err := lists.Inspect(ctx, args[0], o)
		if err != nil {
			return err
		}
		return cliout.JSON(cmd.OutOrStdout(), doc, indentList)
	})
	return cmd
}

// newPush is `manifest push`.
func newPush(h Host) *cobra.Command {
	var reg cliflag.Registry
	var compression cliflag.Compression
	var digestFile cliflag.DigestFile
	var shown cliflag.Progress
	var sign cliflag.Sign
	var retry cliflag.Retry
	var all bool
	var req manifestlist.PushRequest
	cmd := &cobra.Command{
		Use:     "push [options] LIST DESTINATION",
		Short:   "Push a manifest list or image index to a registry",
		Long:    "Pushes manifest lists and image indexes to registries.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  " + h.Program + " manifest push mylist:v1.11 docker://quay.io/myuser/image:v1.11",
	}
	f := cmd.Flags()
	reg.Bind(f)
	compression.Bind(f)
	digestFile.Bind(f)
	if h.podman() {
		sign.Bind(f)
	} else {
		sign.BindGPG(f)
		retry.Bind(f)
	}
	sign.BindRemove(f)
	shown.Bind(f, "don't output progress information when pushing lists")
	f.StringSliceVar(&req.AddFormats, "add-compression", nil, "add instances with selected compression while pushing")
	f.BoolVar(&all, "all", true, "also push the images in the list")
	f.StringVarP(&req.Copy.Format, "format", "f", "", "manifest type (oci or v2s2) to attempt to use when pushing the manifest list (default is manifest type of source)")
	f.BoolVar(&req.Remove, "rm", false, "remove the manifest list if push succeeds")
	cmd.RunE = h.with(func(cmd *cobra.Command, lists manifestlist.Lists, args []string) error {
		var err error
		if req.Copy.Registry, err = reg.AskingOptions(); err != nil {
			return err
		}
		retry.Into(&req.Copy.Registry)
		if err := compression.Check(); err != nil {
			return err
		}
		if req.Copy.Sign, err = sign.Value(); err != nil {
			return err
		}
		req.Copy.CompressFormat, req.Copy.CompressLevel, req.Copy.ForceCompress = compression.Format, compression.Level, compression.Force
		if req.Copy.Progress, err = shown.On(os.Stderr); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		req.List, req.Destination, req.ListOnly = args[0], append(args, "")[1], !all
		result, err := lists.Push(ctx, req)
		if err != nil {
			return err
		}
		return digestFile.Write(result.Digest())
	})
	return cmd
}
