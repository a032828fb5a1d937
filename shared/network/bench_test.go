package network

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkSetupTeardown(b *testing.B) {
	w := newWorld(b)
	for _, ports := range [][]string{nil, {"18080:80"}} {
		b.Run(fmt.Sprintf("ports=%d", len(ports)), func(b *testing.B) {
			ns := w.container("c")
			ep := w.endpoint("c", ports...)
			ep.KeepNS = true
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
	for _, ports := range [][]string{nil, {"18080:80"}} {
		b.Run(fmt.Sprintf("ports=%d", len(ports)), func(b *testing.B) {
			ep := w.endpoint("c", ports...)
			var setup, down time.Duration
			for b.Loop() {
				if err := NewNS(w.dir + "/n"); err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				status := w.setup(w.dir+"/n", ep)
				up := time.Now()
				w.teardown(w.dir+"/n", ep, status)
				setup, down = setup+up.Sub(start), down+time.Since(up)
				if err := RemoveNS(w.dir + "/n"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(setup.Microseconds())/float64(b.N), "setup-us/op")
			b.ReportMetric(float64(down.Microseconds())/float64(b.N), "teardown-us/op")
		})
	}
}
