package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const image = "localhost/compare/base"

// side is one podman with a store of its own.
type side struct {
	prefix []string // what runs a line of shell on this side
	dir    string   // its directory, as it sees it
	spaces map[string]string
}

// newSides prepares both sides with the same image.
func newSides(bin, peers, base, dir string) (ours, theirs *side, err error) {
	if os.Getuid() != 0 {
		return nil, nil, errors.New("needs root")
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return nil, nil, err
	}
	work, err := os.MkdirTemp("/var/tmp", "compare-runtime.")
	if err != nil {
		return nil, nil, err
	}
	ours = &side{dir: work, prefix: []string{"env", "-i", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8", "PATH=" + bin + ":/usr/sbin:/usr/bin:/sbin:/bin"}}
	theirs = &side{dir: fmt.Sprintf("/tmp/compare-runtime.%d", os.Getpid()), prefix: []string{filepath.Join(peers, "in")}}
	archive, err := withProbe(work, base, dir)
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(archive)
	for _, s := range []*side{ours, theirs} {
		if err := s.prepare(archive); err != nil {
			ours.close()
			theirs.close()
			return nil, nil, err
		}
	}
	return ours, theirs, nil
}

// withProbe adds the probe to the base image's root.
func withProbe(work, base, dir string) (string, error) {
	archive := filepath.Join(work, "base.tar")
	line := fmt.Sprintf(`set -e
mkdir %[1]s/add && cc -O1 -Wall -Wextra -Werror -static -o %[1]s/add/calls %[2]s/probe/calls.c && cp %[2]s/probe/probe.sh %[1]s/add/ && chmod 755 %[1]s/add/*
cp %[3]s %[4]s && tar -C %[1]s/add --owner=0 --group=0 -rf %[4]s ./calls ./probe.sh && rm -r %[1]s/add`, work, dir, base, archive)
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the image: %s", out)
	}
	return archive, nil
}

// shell runs a line of shell on this side and gives all it printed.
func (s *side) shell(line string, stdin *os.File) (string, error) {
	settings := fmt.Sprintf("export CONTAINERS_STORAGE_CONF=%[1]s/storage.conf CONTAINERS_CONF=%[1]s/containers.conf; ", s.dir)
	args := append(append([]string{}, s.prefix...), "sh", "-c", settings+line)
	cmd := exec.Command(args[0], args[1:]...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *side) prepare(archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	line := fmt.Sprintf(`set -e
mkdir -p %[1]s/run && mount -t tmpfs -o mode=755 run %[1]s/run
printf '[storage]\ndriver = "overlay"\ngraphroot = "%[1]s/store"\nrunroot = "%[1]s/run"\n' >%[1]s/storage.conf
printf '[containers]\ndefault_sysctls = ["net.ipv4.ping_group_range=0 0"]\n[engine]\nevents_logger = "file"\nvolume_path = "%[1]s/volumes"\n[network]\nnetwork_config_dir = "%[1]s/networks"\n' >%[1]s/containers.conf
cat >%[1]s/image.tar && podman import -q --change CMD=/probe.sh %[1]s/image.tar %[2]s && rm %[1]s/image.tar
printf word | podman secret create word -
podman run -d --name other --network none --ipc shareable --entrypoint sleep %[2]s 100000`, s.dir, image)
	if out, err := s.shell(line, f); err != nil {
		return fmt.Errorf("prepare a store: %s", out)
	}
	s.spaces = map[string]string{}
	for who, line := range map[string]string{
		"host's":  "echo self",
		"other's": "podman inspect --format {{.State.Pid}} other",
	} {
		out, err := s.shell("cd /proc/$("+line+")/ns && for n in cgroup ipc mnt net pid time user uts; do readlink $n; done", nil)
		if err != nil {
			return fmt.Errorf("look at namespaces: %s", out)
		}
		for _, space := range strings.Fields(out) {
			if _, ok := s.spaces[space]; !ok || who == "host's" {
				s.spaces[space] = who
			}
		}
	}
	return nil
}

// probe runs one container in a network namespace that goes with it, so that
// both sides may have the same bridge.
func (s *side) probe(c *testCase) seen {
	options := c.options
	if !strings.Contains(options, "--network") {
		options += " --network none"
	}
	line := strings.Join(append(c.before, ""), "; ") + "exec podman run --rm --name probe " + options + " " + image + " </dev/null"
	out, err := s.shell("unshare -n sh -c "+quote("ip link set lo up; "+line), nil)
	result := s.parse(out)
	if err != nil {
		result["end"] = []string{err.Error()}
	}
	return result
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

var (
	longID = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	uuid   = regexp.MustCompile(`container_uuid=[0-9a-f]{32}`)
	anID   = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
	// The reference's tree lies somewhere on the host.
	place   = regexp.MustCompile(`root=[^ ]*(DIR|/sid)`)
	address = regexp.MustCompile(`\b10\.88\.\d+\.\d+\b`)
	process = regexp.MustCompile(`/proc/\d+/`)
	inode   = regexp.MustCompile(`[a-z_]+:\[\d+\]`)
)

// parse reads what the probe printed; what is another with every container is
// put into words that are not.
func (s *side) parse(out string) seen {
	result := seen{}
	field := "before"
	for _, line := range strings.Split(strings.TrimSpace(strings.ReplaceAll(out, "\r", "")), "\n") {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			field = name
			result[field] = nil
			continue
		}
		if field == "mounts" {
			line = s.mount(line)
		}
		line = longID.ReplaceAllString(line, "ID")
		line = uuid.ReplaceAllString(line, "container_uuid=ID")
		line = anID.ReplaceAllString(line, "ID")
		line = strings.ReplaceAll(line, s.dir, "DIR")
		line = address.ReplaceAllString(line, "ADDRESS")
		line = process.ReplaceAllString(line, "/proc/N/")
		line = place.ReplaceAllString(line, "root=$1")
		line = strings.ReplaceAll(line, "root=/sid", "root=")
		if field == "namespaces" {
			line = inode.ReplaceAllStringFunc(line, s.space)
		}
		result[field] = append(result[field], strings.TrimRight(line, " "))
	}
	return result
}

func (s *side) space(link string) string {
	if who, ok := s.spaces[link]; ok {
		return who
	}
	return "own"
}
