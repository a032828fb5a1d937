package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/secret"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewSecret is `podman secret`.
func NewSecret(a *app.App) *cobra.Command {
	cmd := &cobra.Command{Use: "secret", Short: "Manage secrets", Long: "Manage secrets"}
	for _, add := range []func(*app.App) *cobra.Command{newCreate, newExists, newInspect, newList, newRemove} {
		cmd.AddCommand(add(a))
	}
	return cmd
}

func newCreate(a *app.App) *cobra.Command {
	var req engine.CreateSecretRequest
	var fromEnv bool
	cmd := &cobra.Command{
		Use:     "create [options] NAME FILE|-",
		Short:   "Create a new secret",
		Long:    "Keeps a secret: the content of a file, of standard input, or of an environment variable. Containers get it with --secret.",
		Args:    cobra.ExactArgs(2),
		Example: "  podman secret create password /path/to/file\n  printf value | podman secret create password -\n  podman secret create --env password PASSWORD",
	}
	f := cmd.Flags()
	f.StringVarP(&req.Driver, "driver", "d", "", "Specify secret driver (file, pass or shell)")
	f.StringToStringVar(&req.DriverOptions, "driver-opts", nil, "Specify driver specific options")
	f.BoolVar(&fromEnv, "env", false, "Read secret data from environment variable")
	f.BoolVar(&req.Ignore, "ignore", false, "If a secret with the same name exists, ignore it and return the existing one")
	f.StringArrayVarP(&req.Labels, "label", "l", nil, "Specify labels on the secret")
	f.BoolVar(&req.Replace, "replace", false, "If a secret with the same name exists, replace it")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		var err error
		if req.Name, req.Data, err = args[0], nil, nil; fromEnv {
			value, ok := os.LookupEnv(args[1])
			if !ok {
				return errdef.Newf(errdef.ErrInvalid, "cannot create store secret data: environment variable %s is not set", args[1])
			}
			req.Data = []byte(value)
		} else if req.Data, err = readData(args[1], cmd.InOrStdin()); err != nil {
			return err
		}
		id, err := e.CreateSecret(req)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
		return err
	})
	return cmd
}

// readData reads a file, or with "-" the standard input, as far as a secret
// may go and a byte more.
func readData(name string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	} else if f, ok := stdin.(*os.File); ok && cliout.IsTerminal(f) {
		return nil, errdef.Newf(errdef.ErrInvalid, "if `-` is used, data must be passed into stdin")
	}
	return io.ReadAll(io.LimitReader(in, secret.MaxSize+1))
}

func newExists(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "exists SECRET",
		Short:   "Check if a secret exists in local storage",
		Long:    "Ends with status 0 if the secret exists and 1 if it doesn't.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman secret exists password",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			_, err := e.Secrets().Find(args[0])
			if errors.Is(err, errdef.ErrNotFound) {
				return &errdef.Exit{Code: 1}
			}
			return err
		}),
	}
}

func newInspect(a *app.App) *cobra.Command {
	var format string
	var pretty, show bool
	cmd := &cobra.Command{
		Use:     "inspect [options] SECRET [SECRET...]",
		Short:   "Inspect a secret",
		Long:    "Displays what is known of secrets; their data only with --showsecret.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman secret inspect password\n  podman secret inspect --format '{{.Spec.Driver.Name}}' password",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "Format inspect output using Go template")
	cmd.Flags().BoolVar(&pretty, "pretty", false, "Print inspect output in human-readable format")
	cmd.Flags().BoolVar(&show, "showsecret", false, "Display the secret")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if pretty {
			if format != "" {
				return errdef.Newf(errdef.ErrInvalid, "--format and --pretty cannot be used together")
			}
			format = prettyFormat
		}
		list := []any{}
		var errs []error
		for _, name := range args {
			info, err := e.InspectSecret(name, show)
			if err != nil {
				errs = append(errs, fmt.Errorf("inspecting secret: %w", err))
				continue
			}
			list = append(list, info)
		}
		out := cmd.OutOrStdout()
		if format == "" || format == "json" {
			if len(list) > 0 || len(errs) == 0 {
				if err := cliout.JSON(out, list, cliout.IndentList); err != nil {
					return err
				}
			}
			return say.Errors(errs)
		}
		for _, info := range list {
			if err := cliout.Template(out, "secret inspect", format, info); err != nil {
				return err
			}
		}
		return say.Errors(errs)
	})
	return cmd
}

// prettyFormat is what --pretty prints.
const prettyFormat = `ID:              {{.ID}}
Name:              {{.Spec.Name}}
{{- if .Spec.Labels}}
Labels:
{{- range $k, $v := .Spec.Labels}}
 - {{$k}}{{if $v}}={{$v}}{{end}}
{{- end}}{{end}}
Driver:            {{.Spec.Driver.Name}}
Created at:        {{.CreatedAt}}
Updated at:        {{.UpdatedAt}}{{if .SecretData}}
Secret:            {{.SecretData}}{{end}}`

// row gives the placeholders of ls --format.
type row struct{ info engine.SecretInfo }

func (r row) ID() string        { return r.info.ID }
func (r row) Name() string      { return r.info.Spec.Name }
func (r row) Driver() string    { return r.info.Spec.Driver.Name }
func (r row) CreatedAt() string { return cliout.Ago(r.info.CreatedAt) }
func (r row) UpdatedAt() string { return cliout.Ago(r.info.UpdatedAt) }

func newList(a *app.App) *cobra.Command {
	var filters []string
	var format string
	var noHeading, quiet bool
	cmd := &cobra.Command{
		Use:     "ls [options]",
		Aliases: []string{"list"},
		Short:   "List secrets",
		Long:    "Lists all secrets.",
		Args:    cobra.NoArgs,
		Example: "  podman secret ls\n  podman secret ls --format \"{{.Name}}\"",
	}
	cmd.Flags().StringArrayVarP(&filters, "filter", "f", nil, "Filter secret output")
	cmd.Flags().StringVar(&format, "format", "", "Format volume output using Go template")
	cmd.Flags().BoolVarP(&noHeading, "noheading", "n", false, "Do not print headers")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Print secret IDs only")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		list, err := e.ListSecrets(filters)
		if err != nil {
			return err
		}
		rows := make([]row, len(list))
		for i := range list {
			rows[i] = row{list[i]}
		}
		if quiet && format == "" {
			format = "{{.ID}}"
		}
		return cliout.Rows(cmd.OutOrStdout(), format, "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.CreatedAt}}\t{{.UpdatedAt}}",
			map[string]string{"CreatedAt": "CREATED", "UpdatedAt": "UPDATED"}, rows, cliout.RowsOptions{NoHeading: noHeading, Name: "list", JSON: list})
	})
	return cmd
}

func newRemove(a *app.App) *cobra.Command {
	var all, ignore bool
	cmd := &cobra.Command{
		Use:     "rm [options] SECRET [SECRET...]",
		Aliases: []string{"remove"},
		Short:   "Remove one or more secrets",
		Long:    "Forgets secrets. Containers that were made with them keep their own copies.",
		Example: "  podman secret rm password\n  podman secret rm --all",
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Remove all secrets")
	cmd.Flags().BoolVarP(&ignore, "ignore", "i", false, "Ignore errors when a specified secret is missing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case all && len(args) > 0:
			return errdef.Newf(errdef.ErrInvalid, "`podman secret rm` requires either at least one argument or the --all flag: not both")
		case !all && len(args) == 0:
			return errdef.Newf(errdef.ErrInvalid, "`%s` requires one argument, or the --all flag", strings.TrimSuffix(cmd.CommandPath(), " remove"))
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		if all {
			list, err := e.ListSecrets(nil)
			if err != nil {
				return err
			}
			for i := range list {
				args = append(args, list[i].ID)
			}
		}
		var errs []error
		for _, name := range args {
			id, err := e.RemoveSecret(name)
			switch {
			case err == nil:
				fmt.Fprintln(cmd.OutOrStdout(), id)
			case errors.Is(err, errdef.ErrNotFound) && (ignore || all):
			default:
				errs = append(errs, err)
			}
		}
		return say.Errors(errs)
	}
	return cmd
}
