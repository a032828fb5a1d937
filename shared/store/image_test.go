package store

import (
	"errors"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Whoever makes an image that another removes makes it anew.
func TestImageIsRemovedWhileItIsMade(t *testing.T) {
	s := open(t)
	made := make(chan error, 1)
	n := NewImage{Names: []string{"localhost/a:latest"}, Manifest: []byte(`{"schemaVersion":2}`), Config: []byte(`{}`)}
	first, err := s.CreateImage(n)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 100 {
			if _, err := s.CreateImage(n); err != nil {
				made <- err
				return
			}
		}
		made <- nil
	}()
	for {
		select {
		case err := <-made:
			if err != nil {
				t.Error(err)
			}
			return
		default:
			if _, err := s.RemoveImage(first.ID); err != nil && !errors.Is(err, errdef.ErrNotFound) {
				t.Fatal(err)
			}
		}
	}
}
