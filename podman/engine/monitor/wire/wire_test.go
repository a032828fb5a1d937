package wire

import (
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSpecTravelsAsArguments(t *testing.T) {
	want := Spec{ID: "abc", Pid: 7, Control: 3, Listen: 4, Out: 9, Err: -1, In: 9, Log: -1, Started: 1764000000000000000, Hold: 5, Held: 2,
		Attach: true, TTY: true, Exit: []string{"/run/with = and space", "/var/exit"}, Self: []string{"/bin/podman", "--root", "/x"}, Check: -1, OOM: 12, OOMAbove: 13, OOMBefore: 3, Notify: 14, Stop: 3, Name: "web", Tag: "a tag"}
	args := want.Args()
	got, ok := ParseSpec(args[1:])
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%v:\nhave %+v (%v)\nwant %+v", args, got, ok, want)
	}
}

func TestSpecRefusesWhatPodmanDidNotWrite(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"id=x"}, {"id=x", "pid=0"}, {"id=x", "pid=one"}, {"pid=1"}, {"id=x", "pid=1", "color=red"}} {
		if spec, ok := ParseSpec(args); ok {
			t.Errorf("%q was taken: %+v", args, spec)
		}
	}
}

// A monitor may end with a waiter's message unread, or before it has taken the
// connection.
func TestPeerEndsWithAMessageUnread(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	if err := Send(fds[0], Exited, []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	unix.Close(fds[1])
	if kind, _, err := Receive(fds[0], make([]byte, 64), 0); kind != 0 || err != nil {
		t.Errorf("received %d, %v; want 0 for a peer that is gone", kind, err)
	}
}
