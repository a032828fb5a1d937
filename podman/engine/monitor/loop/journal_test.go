package loop

import (
	"testing"

	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"golang.org/x/sys/unix"
)

func TestJournalEntries(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	spec := wire.Spec{ID: "0123456789abcdef", Name: "web", Tag: "blue"}
	j := newJournal(&spec)
	l := logger{fd: pair[0], journal: &j}
	l.write(wire.Stderr, []byte("one\ntwo"))
	const head = "CONTAINER_ID_FULL=0123456789abcdef\nCONTAINER_ID=0123456789ab\nCONTAINER_NAME=web\nSYSLOG_IDENTIFIER=blue\nCONTAINER_TAG=blue\nPRIORITY=3\n"
	for _, want := range []string{head + "MESSAGE=one\n", head + "CONTAINER_PARTIAL_MESSAGE=true\nMESSAGE=two\n"} {
		buf := make([]byte, 1024)
		n, err := unix.Read(pair[1], buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("have %q, %v, want %q", buf[:n], err, want)
		}
	}
}
