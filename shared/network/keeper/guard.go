package main

import (
	"time"

	"github.com/podsuite/podsuite/shared/network/rules"
)

// guard keeps the rules in place: whatever a flush or a firewall's reload takes
// away is back at once. Where nftables can't be spoken to there is nothing to
// keep.
func guard(set rules.Set) {
	conn, err := rules.Dial()
	if err != nil {
		return
	}
	conn.Anchor() // a kernel that refuses loses what a flush finds under way
	lost := make(chan struct{}, 1)
	lost <- struct{}{} // whatever happened before anybody watched
	go restore(set, conn, lost)
	for {
		err := rules.Watch(conn, func() {
			select {
			case lost <- struct{}{}:
			default: // it will be looked at anyway
			}
		})
		if err != nil {
			time.Sleep(time.Second)
		}
	}
}

// calm is the least time from one restoration to the next, so that a script that
// takes the rules away again and again doesn't take the processor, too.
const calm = 50 * time.Millisecond

// restore makes the rules again whenever some were lost. What fails is tried
// again, more and more seldom.
func restore(set rules.Set, conn *rules.Conn, lost <-chan struct{}) {
	for range lost {
		for wait := calm; set.Restore(conn) != nil && wait < time.Minute; wait *= 2 {
			time.Sleep(wait)
		}
		time.Sleep(calm)
	}
}
