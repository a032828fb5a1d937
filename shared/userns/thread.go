package userns

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnThread runs do on a thread that ends with it, so that do may take the
// thread to other namespaces. That is never the process's first thread: Go can't
// end that one, and /proc/self and what others see of the process are its.
func OnThread(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			do()
			return
		}
		defer runtime.UnlockOSThread()
		OnThread(do) // while this goroutine holds the first thread
	}()
	<-done
}
