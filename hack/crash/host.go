package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// host is the machine of the test: a disk with the store, a run root and
// /etc/containers of its own, in namespaces of their own.
type host struct {
	dir      string
	program  string // of the registry; "" for none
	registry *exec.Cmd
}

const storeRoot = "/var/lib/containers"

// boot mounts what the programs use by default; $WORK is host.dir. The disk gets
// only what programs ask to be written.
const boot = `set -e
mount -t tmpfs tmpfs /run
mount -o loop,commit=300 $WORK/disk /var/lib/containers
ip link set lo up
`

// setUp makes an empty disk.
const setUp = `set -e
rm -f $WORK/disk
truncate -s 1G $WORK/disk
mkfs.ext4 -q -m 0 $WORK/disk
mkdir -p /etc/containers /var/lib/containers
mount -t tmpfs tmpfs /etc/containers
` + boot + `
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json
mkdir -p $WORK/context
echo content >$WORK/context/file
printf 'FROM localhost/base\nCOPY file /file\nRUN cat /file >/made && ln /made /link\nCMD ["cat", "/made"]\n' >$WORK/context/Containerfile
hack/base-image $WORK/base.tar
`

// fill makes the images that every scenario may use.
const fill = `set -e
podman import -q $WORK/base.tar localhost/base
rm -f $WORK/other.tar
podman run --name other --network none localhost/base sh -c 'head -c 300000 /dev/urandom >/r'
podman commit -q other localhost/other
podman save -q -o $WORK/other.tar localhost/other
if [ -n "$REGISTRY" ]; then podman push -q --tls-verify=false localhost/other localhost:5000/other; fi
podman rm other
podman rmi localhost/other
`

func newHost(bin, registry string) (*host, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/var/tmp", "crash-")
	if err != nil {
		return nil, err
	}
	h := &host{dir: dir, program: registry}
	os.Setenv("WORK", dir)
	os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if out, err := h.sh("mount -t tmpfs tmpfs $WORK"); err != nil { // the disk is quick, and forgotten
		return h, fmt.Errorf("set up: %w: %s", err, out)
	}
	if out, err := h.sh(setUp); err != nil {
		return h, fmt.Errorf("set up: %w: %s", err, out)
	}
	if err := h.serve(); err != nil {
		return h, err
	}
	if out, err := h.sh(fill); err != nil {
		return h, fmt.Errorf("fill the store: %w: %s", err, out)
	}
	return h, nil
}

// serve starts the registry, if there is one, on port 5000.
func (h *host) serve() error {
	if h.program == "" {
		return nil
	}
	config := filepath.Join(h.dir, "registry.yml")
	text := "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " + h.dir + "/registry}}\nhttp: {addr: 'localhost:5000'}\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	h.registry = exec.Command(h.program, "serve", config)
	h.registry.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := h.registry.Start(); err != nil {
		return err
	}
	os.Setenv("REGISTRY", "localhost:5000")
	for range 100 {
		if c, err := net.Dial("tcp", "localhost:5000"); err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the registry does not come up")
}

func (h *host) close() {
	h.killAll()
	h.sh("umount -R /var/lib/containers; umount $WORK")
	os.RemoveAll(h.dir)
}

// killAll ends every other process of the machine.
func (h *host) killAll() {
	syscall.Kill(-1, syscall.SIGKILL) // this one and the first of the namespace are spared
	if h.registry != nil {
		h.registry.Wait()
	}
	for range 500 {
		if left, _ := filepath.Glob("/proc/[0-9]*"); len(left) <= 2 { // those two
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// gone takes away what does not outlive the machine.
const gone = `
umount -R -l /run
umount -R -l /var/lib/containers
nft flush ruleset
for l in $(ip -o link | grep -o 'podman[0-9]*\|veth[0-9a-f]*'); do ip link del $l; done
true
`

// losePower ends all, and starts anew with what the disk has by now.
func (h *host) losePower() error {
	if out, err := h.sh("cp --sparse=always $WORK/disk $WORK/disk.now"); err != nil {
		return fmt.Errorf("copy the disk: %w: %s", err, out)
	}
	h.killAll()
	if out, err := h.sh(gone + "mv $WORK/disk.now $WORK/disk\n" + boot); err != nil {
		return fmt.Errorf("start the machine: %w: %s", err, out)
	}
	return h.serve()
}

// renew starts over with an empty store, after a failure.
func (h *host) renew() error {
	h.killAll()
	if out, err := h.sh(gone + "umount /etc/containers\n" + setUp); err != nil {
		return fmt.Errorf("start over: %w: %s", err, out)
	}
	if err := h.serve(); err != nil {
		return err
	}
	if out, err := h.sh(fill); err != nil {
		return fmt.Errorf("start over: %w: %s", err, out)
	}
	for _, s := range scenarios {
		if s.remote && h.registry == nil {
			continue
		}
		if _, err := h.attempt(s, fault{}); err != nil {
			return err
		}
		if err := h.clean(); err != nil {
			return err
		}
	}
	return nil
}

// sh runs shell commands, at most for a minute: nothing here takes longer
// unless it hangs.
func (h *host) sh(script string) (string, error) {
	cmd := exec.Command("timeout", "-s", "KILL", "60", "sh", "-c", script)
	out, err := os.CreateTemp("", "crash-output-") // no pipe: a monitor may keep it
	if err != nil {
		return "", err
	}
	defer out.Close()
	os.Remove(out.Name())
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	data := make([]byte, 64<<10)
	n, _ := out.ReadAt(data, 0)
	return strings.TrimSpace(string(data[:n])), err
}

// attempt prepares the scenario and runs its command with the fault.
func (h *host) attempt(s scenario, f fault) (outcome, error) {
	if s.prepare != "" {
		if out, err := h.sh("set -e; " + s.prepare); err != nil {
			return outcome{}, fmt.Errorf("prepare %s: %w: %s", s.name, err, out)
		}
	}
	h.sh("sync -f /var/lib/containers") // what was prepared stays
	return run(s.command, f)
}

// usable uses everything that is listed.
const usable = `
fail() { echo "$*"; exit 1; }
list() { "$@" || fail "$* fails"; }
list podman ps -a --format '{{.ID}} {{.State}}' >$WORK/containers
list podman images -q --no-trunc >$WORK/images
list podman volume ls -q >$WORK/volumes
list podman network ls -q >$WORK/networks
podman system check >$WORK/damage || fail "damage: $(cat $WORK/damage)"
list podman system df >/dev/null
while read -r id state; do
	if ! podman inspect $id >/dev/null; then # a clean-up may have finished its removal meanwhile
		! podman ps -a --format '{{.ID}}' | grep -q $id || fail "container $id is listed and can't be inspected"
		continue
	fi
	case $state in
	running) podman exec $id true || fail "container $id runs, and exec fails" ;;
	created | exited) podman start $id >/dev/null || fail "container $id can't be started" ;;
	*) ;;
	esac
	podman stop -t 0 $id >/dev/null || fail "container $id ($state) can't be stopped"
done <$WORK/containers
while read -r id; do
	podman run --rm --network none $id true || fail "image $id is listed and can't be run"
done <$WORK/images
while read -r name; do
	podman volume inspect $name >/dev/null || fail "volume $name is listed and can't be inspected"
	podman run --rm --network none -v $name:/v localhost/base true || fail "volume $name is listed and can't be used"
done <$WORK/volumes
while read -r name; do
	podman network inspect $name >/dev/null || fail "network $name is listed and can't be inspected"
done <$WORK/networks
podman run --rm localhost/base true || fail "a container on the default network fails"
`

func (h *host) check() error {
	out, err := h.sh(usable)
	if err != nil {
		return fmt.Errorf("%s (%w)", out, err)
	}
	return nil
}

// remove takes away all but the base image.
const remove = `set -e
podman rm -fa -t 0
buildah rm -a
podman volume rm -fa
for n in $(podman network ls -q); do [ $n = podman ] || podman network rm -f $n; done
for i in $(podman images -a --format '{{.Repository}}:{{.Tag}}' | grep -v '^localhost/base:\|^<none>'); do podman rmi -f $i; done
podman image prune -f
for i in $(podman images -aq --filter dangling=true); do podman rmi -f $i 2>/dev/null || ! podman image exists $i; done
buildah prune -f
rm -f $WORK/saved.tar*
`

func (h *host) clean() error {
	if out, err := h.sh(remove); err != nil {
		return fmt.Errorf("cleaning up fails: %w: %s", err, out)
	}
	return nil
}

// view is what the host holds: names of files, mounts, links, rules, control
// groups and processes.
type view struct {
	things []string
	bytes  int64 // of the store
}

// ids are the parts of names that differ from run to run.
var ids = regexp.MustCompile(`[0-9a-f]{64}|[0-9a-f]{16}|[0-9a-f]{12}|veth[0-9a-f]+|[A-Z0-9]{26}|=[0-9A-Za-z+_-]{40,}=*`)

// look lists what the host holds.
func (h *host) look() (view, error) {
	var v view
	// Monitors, their clean-ups and the keeper of names are given a moment.
	for range 50 {
		if out, _ := h.sh("pgrep -f '[p]odman-monitor id=|[c]ontainer cleanup|[p]odman-keeper' | while read p; do [ /proc/$p/ns/mnt -ef /proc/self/ns/mnt ] && echo $p; done"); out == "" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, root := range []string{storeRoot, "/run", "/etc/containers", h.dir + "/context"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := d.Info(); err == nil && !strings.HasSuffix(path, "events.log") {
				if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 1 {
					v.bytes += st.Blocks * 512
				}
			}
			// Temporary files of the library are swept when they are an hour
			// old, what was to become a network or a volume with the next
			// one; lock files of layers are empty and used again; lists of
			// layers go when they are on the disk for sure, short names of
			// layers that never were with the temporary files.
			if _, err := os.Stat(path); filepath.Base(filepath.Dir(path)) == "l" && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if strings.HasPrefix(d.Name(), ".tmp-") || strings.HasPrefix(d.Name(), ".network-") || strings.HasSuffix(d.Name(), ".layers") || strings.HasSuffix(filepath.Dir(path), "overlay-locks") {
				return nil
			}
			if d.Name() == "lost+found" {
				return fs.SkipDir
			}
			if strings.HasPrefix(d.Name(), ".coming-") || strings.HasPrefix(d.Name(), ".going-") {
				return fs.SkipDir
			}
			v.things = append(v.things, "file "+strings.TrimPrefix(path, h.dir))
			return nil
		})
		if err != nil {
			return v, err
		}
	}
	for what, script := range map[string]string{
		"mount":   "cut -d ' ' -f 5 /proc/self/mountinfo",
		"link":    "ip -o link | cut -d : -f 2",
		"rule":    "nft -a list ruleset | sed 's/ # handle.*//'",
		"group":   "for d in $(find /sys/fs/cgroup -type d -name 'libpod-*' 2>/dev/null); do grep -qr ${d##*libpod-} /var/lib/containers/storage/libpod /run/libpod 2>/dev/null && echo $d; done",
		"process": "for p in /proc/[0-9]*; do [ $p/ns/mnt -ef /proc/self/ns/mnt ] && tr '\\0' ' ' <$p/cmdline | cut -c 1-200 && echo; done 2>/dev/null | grep '[p]odman'",
		"socket":  "cat /proc/net/unix | grep -o ' /.*'",
	} {
		out, _ := h.sh(script)
		for line := range strings.Lines(out) {
			if line = strings.TrimSpace(line); line != "" {
				v.things = append(v.things, what+" "+strings.ReplaceAll(line, h.dir, ""))
			}
		}
	}
	for i, t := range v.things {
		v.things[i] = ids.ReplaceAllString(t, "ID")
	}
	return v, nil
}

// differences are the things that one view has and the other hasn't.
func (v view) differences(after view) (list []string) {
	counts := map[string]int{}
	for _, t := range v.things {
		counts[t]--
	}
	for _, t := range after.things {
		counts[t]++
	}
	for t, n := range counts {
		switch {
		case n > 0:
			list = append(list, "left over: "+t)
		case n < 0 && strings.HasPrefix(t, "file "+storeRoot): // the rest comes again when it is needed
			list = append(list, "missing: "+t)
		}
	}
	slices.Sort(list)
	if grown := after.bytes - v.bytes; grown > v.bytes/100 {
		list = append(list, fmt.Sprintf("the store has grown from %d to %d bytes", v.bytes, after.bytes))
	}
	return list
}
