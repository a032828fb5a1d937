package network

import (
	"fmt"
	"testing"
)

func BenchmarkSetupTeardown(b *testing.B) {
	w := newWorld(b)
	for _, ports := range [][]string{nil, {"18080:80"}} {
		b.Run(fmt.Sprintf("ports=%d", len(ports)), func(b *testing.B) {
			ns := w.container("c")
			ep := w.endpoint("c", ports...)
			for b.Loop() {
				w.teardown(ns, ep, w.setup(ns, ep))
			}
		})
	}
}

func BenchmarkNS(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		if err := NewNS(w.dir + "/n"); err != nil {
			b.Fatal(err)
		}
		if err := RemoveNS(w.dir + "/n"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWhole is a namespace's whole life on the bridge.
func BenchmarkWhole(b *testing.B) {
	w := newWorld(b)
	ep := w.endpoint("c")
	for b.Loop() {
		if err := NewNS(w.dir + "/n"); err != nil {
			b.Fatal(err)
		}
		w.teardown(w.dir+"/n", ep, w.setup(w.dir+"/n", ep))
		if err := RemoveNS(w.dir + "/n"); err != nil {
			b.Fatal(err)
		}
	}
}
