package build

import (
	"os"
	"time"

	"github.com/podsuite/podsuite/shared/cliout"
)

// liveLines is how much of a command's output is shown while it runs.
const liveLines = 4

// liveView is a terminal that shows the steps under way, with the time they
// have taken.
type liveView struct {
	*cliout.Live
	ended chan struct{}
}

func newLiveView(f *os.File) *liveView {
	v := &liveView{cliout.NewLive(f), make(chan struct{})}
	go func() {
		tick := time.NewTicker(time.Second / 10)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				v.Update(func() {})
			case <-v.ended:
				return
			}
		}
	}()
	return v
}

func (v *liveView) close() { close(v.ended) }

// rows are the step and the last of its output.
func (st *shownStep) rows(columns int) []string {
	lines := []string{st.title("", time.Since(st.began), columns)}
	for _, line := range st.lines[max(0, len(st.lines)-liveLines):] {
		lines = append(lines, cliout.Shorten("    "+line, columns-1))
	}
	return lines
}
