package userns

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// So many threads at once take every idle one of the process, its first too.
func TestOnThreadSparesTheFirstThread(t *testing.T) {
	const n = 50
	var all, ended sync.WaitGroup
	all.Add(n)
	for range n {
		ended.Go(func() {
			OnThread(func() {
				if unix.Gettid() == unix.Getpid() {
					t.Error("ran on the process's first thread")
				}
				all.Done()
				all.Wait()
			})
		})
	}
	ended.Wait()
}
