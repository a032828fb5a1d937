package imgcopy

import (
	"context"

	"github.com/podsuite/podsuite/shared/transport"
)

// turn is the place of a blob among those of an image, where the destination is one
// stream: the same image shall make the same stream. Blobs are still read and
// compressed side by side. nil is any place.
type turn struct{ before, done chan struct{} }

// turns gives the blobs of an image their turns, in the order of the calls. They must
// be started in that order, too: what waits takes the place of what doesn't run yet.
func turns(sequence bool) func() *turn {
	if !sequence {
		return func() *turn { return nil }
	}
	last := make(chan struct{})
	close(last)
	return func() *turn {
		t := &turn{last, make(chan struct{})}
		last = t.done
		return t
	}
}

// wait returns when those before are written.
func (t *turn) wait(ctx context.Context) error {
	if t == nil {
		return nil
	}
	select {
	case <-t.before:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end lets the next have its turn, also if this one was not needed.
func (t *turn) end(ctx context.Context) error {
	err := t.wait(ctx)
	if t != nil && err == nil {
		close(t.done)
	}
	return err
}

// inTurn copies one blob at its turn.
func (c *copier) inTurn(t *turn) *copier {
	one := *c
	one.turn = t
	return &one
}

// put writes a blob to the destination.
func (c *copier) put(ctx context.Context, content transport.Content) error {
	content.Turn = c.turn.wait
	return c.dst.Put(ctx, content)
}
