package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const baseName = "localhost/corpus/base"

// sides are the two builders. Contexts lie in the reference tools' tree, which
// both see: near is their name for it, far is ours.
type sides struct {
	bin, in   string
	dir       string // ours alone: the store
	near, far string
	daemon    *daemon
}

func newSides(bin, peers, base string) (*sides, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("needs root")
	}
	s := &sides{in: filepath.Join(peers, "in"), near: fmt.Sprintf("/tmp/corpus.%d", os.Getpid())}
	var err error
	if s.bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("/var/tmp", "podsuite-corpus."); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", s.dir+"/store", s.dir+"/run")
	if err := os.WriteFile(s.dir+"/storage.conf", []byte(conf), 0o644); err != nil {
		return nil, err
	}
	place := os.Getenv("PEERS_DIR")
	if place == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		place = filepath.Join(cache, "container-peers")
	}
	s.far = filepath.Join(place, "sid", s.near)
	if out, err := exec.Command(s.in, "mkdir", "-p", s.near).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("no reference tools at %s, or they aren't up: %s", peers, out)
	}
	if _, err := os.Stat(s.far); err != nil {
		return nil, fmt.Errorf("%s is not the reference tools' %s", s.far, s.near)
	}
	if s.daemon, err = startDaemon(s.in, s.near, s.far); err != nil {
		return nil, err
	}
	if err := s.bases(base); err != nil {
		s.close(false)
		return nil, err
	}
	return s, nil
}

// bases gives both the same base image.
func (s *sides) bases(tar string) error {
	data, err := os.ReadFile(tar)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.far+"/base.tar", data, 0o644); err != nil {
		return err
	}
	change := "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	if out, err := s.run(true, s.far, "podman import -q --change "+quote(change)+" base.tar "+baseName); err != nil {
		return fmt.Errorf("import the base image: %s", out)
	}
	if out, err := s.run(false, s.near, "docker import --change "+quote(change)+" base.tar "+baseName); err != nil {
		return fmt.Errorf("import the base image: %s", out)
	}
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// run runs a line of shell in a directory on one side.
func (s *sides) run(ours bool, dir, line string) (string, error) {
	line = "cd " + quote(dir) + " && " + line
	var cmd *exec.Cmd
	if ours {
		cmd = exec.Command("env", "-i", "HOME="+s.dir, "LANG=C.UTF-8", "CONTAINERS_STORAGE_CONF="+s.dir+"/storage.conf", "PATH="+s.bin+":/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", line)
	} else {
		cmd = exec.Command(s.in, "env", "DOCKER_HOST="+s.daemon.host, "DOCKER_CLI_HINTS=false", "sh", "-c", line)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// build builds the case on one side, each in a copy of its own.
func (s *sides) build(c *testCase, ours bool) outcome {
	side := "docker"
	if ours {
		side = "ours"
	}
	place := filepath.Join(side, c.name)
	if err := c.unpack(filepath.Join(s.far, place)); err != nil {
		return outcome{broken: err.Error()}
	}
	for _, line := range c.setup {
		if out, err := s.run(true, filepath.Join(s.far, place), line); err != nil {
			return outcome{broken: line + ": " + out}
		}
	}
	root := s.near
	if ours {
		root = s.far
	}
	dir, args := filepath.Join(root, place), c.args
	if !strings.Contains(args, "--network") {
		args += " --network none"
	}
	if !strings.Contains(args, "-f ") {
		args += " -f " + filepath.Join(c.context, "Containerfile")
	}
	line := fmt.Sprintf("buildah build --layers --format docker --identity-label=false -t %s %s %s %s", imageName(c), args, c.ours, c.context)
	if !ours {
		line = fmt.Sprintf("docker build --progress plain --provenance=false -t %s %s %s %s", imageName(c), args, c.docker, c.context)
	}
	out, err := s.run(ours, dir, line+" </dev/null")
	o := outcome{failed: err != nil, text: out}
	switch {
	case err == nil:
		if o.image, err = s.save(c, ours); err != nil {
			o.text += err.Error()
		}
	case !ours:
		if said, err := s.run(false, "/", "docker version"); err != nil {
			o.broken = "docker's daemon doesn't answer: " + lastLines(said)
		}
	}
	return o
}

func imageName(c *testCase) string { return "localhost/corpus/" + c.name }

// save reads the image that a side made.
func (s *sides) save(c *testCase, ours bool) (*image, error) {
	place, name, line := s.far, imageName(c), "podman save -q -o "
	if !ours {
		place, line = s.near, "docker save -o "
	}
	file := fmt.Sprintf("%s-%t.tar", c.name, ours)
	if out, err := s.run(ours, place, line+file+" "+name); err != nil {
		return nil, fmt.Errorf("save the image: %s", out)
	}
	defer os.Remove(filepath.Join(s.far, file))
	images, err := readArchive(filepath.Join(s.far, file))
	if err != nil {
		return nil, err
	}
	return images[name+":latest"], nil
}

// close ends what was started, and takes the files away or keeps them.
func (s *sides) close(keep bool) {
	s.daemon.stop()
	if keep {
		return
	}
	_, _ = s.run(true, "/", "podman rmi -af; umount -l "+s.dir+"/store/overlay 2>/dev/null")
	os.RemoveAll(s.far)
	os.RemoveAll(s.dir)
}
