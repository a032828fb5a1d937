package store

import (
	"errors"
	"fmt"

	"go.podman.io/storage"

	"github.com/podsuite/podsuite/shared/errdef"
)

// ConflictError says that a name or an ID is taken. It is of the class
// errdef.ErrConflict.
type ConflictError struct {
	Kind  string // "container" or "image"
	Name  string // the name or ID that was asked for
	Owner string // ID of the item that has it
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the %s name %q is already in use by %s", e.Kind, e.Name, e.Owner)
}

// Is puts every ConflictError in the class errdef.ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == errdef.ErrConflict }

// InUseError says that an image can't be removed because a container is made
// from it. It is of the class errdef.ErrBusy.
type InUseError struct {
	Image      string
	Containers []string // IDs, at least one
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("image %s is in use by container %s", e.Image, e.Containers[0])
}

// Is puts every InUseError in the class errdef.ErrBusy.
func (e *InUseError) Is(target error) bool { return target == errdef.ErrBusy }

// classify attaches the class that the library's error belongs to.
func classify(err error) error {
	for _, c := range []struct {
		class error
		are   []error
	}{
		{errdef.ErrNotFound, []error{
			storage.ErrImageUnknown, storage.ErrContainerUnknown, storage.ErrLayerUnknown,
			storage.ErrNotAContainer, storage.ErrNotAnImage, storage.ErrNotALayer, storage.ErrNotAnID,
		}},
		{errdef.ErrConflict, []error{storage.ErrDuplicateID, storage.ErrDuplicateName}},
		{errdef.ErrBusy, []error{
			storage.ErrImageUsedByContainer, storage.ErrLayerHasChildren,
			storage.ErrLayerUsedByContainer, storage.ErrLayerUsedByImage,
		}},
		{errdef.ErrUnsupported, []error{storage.ErrNotSupported}},
		{errdef.ErrDenied, []error{storage.ErrStoreIsReadOnly}},
	} {
		for _, e := range c.are {
			if errors.Is(err, e) {
				return errdef.As(c.class, err)
			}
		}
	}
	return err
}
