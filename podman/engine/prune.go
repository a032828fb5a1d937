package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Pruned is what a prune has removed.
type Pruned struct {
	ID   string
	Size int64 // bytes
}

// PruneContainers removes the containers that don't run and that all filters
// keep. It goes on after an error.
func (e *Engine) PruneContainers(ctx context.Context, filters []string) (removed []Pruned, errs []error) {
	filter, err := e.pruneFilter(filters)
	if err != nil {
		return nil, []error{err}
	}
	list, err := e.Filter(filter)
	if err != nil {
		return nil, []error{err}
	}
	for _, c := range list {
		if c.State == Running || c.State == Paused || c.Infra {
			continue
		}
		size, err := e.ContainerSize(c.ID)
		if err == nil {
			err = e.Remove(ctx, c.ID, RemoveRequest{Force: c.State == Initialized})
		}
		switch {
		case err == nil:
			removed = append(removed, Pruned{c.ID, size.Changes})
		case isNotFound(err), errors.Is(err, errdef.ErrBusy): // gone or started meanwhile
		default:
			errs = append(errs, err)
		}
	}
	return removed, errs
}

// pruneFilter allows the filters that make sense for what nobody uses.
func (e *Engine) pruneFilter(texts []string) (*ContainerFilter, error) {
	for _, text := range texts {
		if err := checkPruneFilter(text); err != nil {
			return nil, err
		}
	}
	return e.ParseContainerFilters(texts)
}

func checkPruneFilter(text string) error {
	switch key, _, ok := strings.Cut(text, "="); {
	case !ok:
		return errdef.Newf(errdef.ErrInvalid, "invalid argument %q for \"--filter\" flag: must be in the format \"filter=value\"", text)
	case key != "label" && key != "label!" && key != "until":
		return errdef.Newf(errdef.ErrInvalid, "%s is an invalid filter", key)
	}
	return nil
}
