package store

import (
	"os"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestPartial(t *testing.T) {
	s := open(t)
	d := digest.FromString("blob")
	first := s.Partial(d, minPartial)
	first.Append([]byte("abc"))
	if again(t, s).Partial(d, minPartial) != nil {
		t.Error("two have it at once")
	}
	first.Close()
	second := s.Partial(d, minPartial)
	b := make([]byte, 8)
	if n, _ := second.ReadAt(b, 1); second.Size() != 3 || string(b[:n]) != "bc" {
		t.Errorf("%d bytes are left, %q", second.Size(), b[:n])
	}
	second.Append(make([]byte, minPartial))
	second.Close()
	if third := s.Partial(d, minPartial); third.Size() != 0 {
		t.Errorf("%d bytes are more than the blob has", third.Size())
	} else {
		third.Remove()
	}
	if _, err := os.Stat(second.path); !os.IsNotExist(err) {
		t.Errorf("removed: %v", err)
	}
	if s.Partial(d, minPartial-1) != nil || s.Partial("sha256:../x", minPartial) != nil {
		t.Error("one that is worth nothing or has no name is kept")
	}
}

// A service lives long: what it has kept and ended counts no more.
func TestPartialsHaveABoundTogether(t *testing.T) {
	s := open(t)
	s.partials.Store(maxPartials - minPartial)
	for range 3 {
		p := s.Partial(digest.FromString("one"), minPartial)
		if p == nil {
			t.Fatal("the last one counts still")
		}
		if s.Partial(digest.FromString("another"), minPartial) != nil {
			t.Fatal("more than all may have")
		}
		p.Close()
		p.Close()
	}
	if n := s.partials.Load(); n != maxPartials-minPartial {
		t.Errorf("%d bytes", n)
	}
}
