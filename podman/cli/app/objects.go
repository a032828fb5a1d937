package app

import (
	"errors"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// indentInspect is how far inspect's JSON is indented.
const indentInspect = 5

// Found turns a typed look-up into one of any object; a missing one stays
// nil.
func Found[T any](object *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return object, nil
}

// PrintObjects is what inspect commands do: what is found is printed as one
// JSON list, or each by the template. What is not found is told at the end.
func PrintObjects(cmd *cobra.Command, names []string, format string, lookup func(string) (any, error)) error {
	objects := []any{}
	var errs []error
	for _, name := range names {
		object, err := lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		objects = append(objects, object)
	}
	out := cmd.OutOrStdout()
	if format == "json" || format == "" {
		if err := cliout.JSON(out, objects, indentInspect); err != nil {
			return err
		}
		return errors.Join(errs...)
	}
	for _, object := range objects {
		if err := cliout.Template(out, "inspect", format, object); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}
