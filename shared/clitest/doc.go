// Package clitest runs end-to-end scripts (testscript's language) against the
// real programs. The scripts lie beside the command line they test, in
// <tool>/e2e/testdata; what needs all three tools is podman's, because only
// podman may know of the others.
//
// Every script has a world of its own: a work directory with its own store,
// configuration and home, and as root a network and a mount namespace too, so
// that scripts run side by side, port 5000 is always free and nothing stays
// behind. As an ordinary user the scripts that need root skip themselves with
// their reason.
//
// Variables a script sees beside testscript's own:
//
//	BASE_TAR   a root file system of busybox, for podman import
//	REGISTRY   where `registry start` listens (host:port)
//	GARBAGE    where `garbage start` listens
//	HOSTILE    where `hostile start` listens
//	NOBODY     a port on which nothing listens (host:port)
//	REGISTRIES the registries.conf in force, to be edited
//	TOP        the top of the source tree
//	USER_HOME  the home of the ordinary user, USER_ID its number
//
// Commands beside testscript's own:
//
//	status N CMD ARG…    runs CMD, which must end with status N
//	tty FILE CMD ARG…    runs CMD on a terminal that types FILE; what the
//	                     terminal showed is stdout
//	retry CMD ARG…       runs CMD again until it succeeds, for up to 20 s
//	registry start|stop  a real registry server (plain HTTP)
//	registry copy FILE   copies the server's program
//	garbage start        a server that answers nonsense with status 200
//	hostile start        a registry that wants any user's name and whose
//	                     repositories are each bad in another way; what it sent
//	                     is in hostile.log: host, path, credentials, range, bytes
//	insecure HOST        allows plain HTTP to HOST in registries.conf
//	oci-image DIR TAG    writes the base image as an OCI layout
//	user CMD ARG…        (a program, so also after exec, status and tty) runs
//	                     CMD as an ordinary user with subordinate IDs; only in
//	                     scripts whose name begins with "user"
//
// Conditions: root, user (an ordinary user can be made), pasta (installed, and
// there is a /dev/net/tun, which the scripts that root runs see open to all).
//
// It imports the standard library, testscript, pty, x/sys and go-containerregistry.
package clitest
