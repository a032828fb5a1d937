package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// daemon is a docker daemon of the corpus' own: it meets no caches but those
// of its own builds, and none of others' goes when it is taken away.
type daemon struct {
	host  string
	cmd   *exec.Cmd
	ended chan struct{}
}

// startDaemon starts a daemon whose files are below the directory. It has no
// networks: builds get none.
func startDaemon(in, near, far string) (*daemon, error) {
	d := &daemon{host: "unix://" + near + "/docker.sock", ended: make(chan struct{})}
	log, err := os.Create(filepath.Join(far, "docker.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command(in, "dockerd", "--data-root", near+"/docker", "--exec-root", near+"/docker.run", "--pidfile", near+"/docker.pid",
		"-H", d.host, "--bridge", "none", "--iptables=false", "--ip6tables=false")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.ended)
	}()
	for late := time.After(time.Minute); ; {
		if exec.Command(in, "docker", "-H", d.host, "info").Run() == nil {
			return d, nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
			continue
		case <-d.ended:
		case <-late:
		}
		break
	}
	d.stop()
	said, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("docker's daemon did not come up: %s", lastLines(string(said)))
}

// stop ends the daemon and waits for that.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	<-d.ended
}
