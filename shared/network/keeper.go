package network

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/podsuite/podsuite/shared/carried"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network/names"
)

// image holds the keeper's program, put there by `make build`.
//
//go:embed all:image
var image embed.FS

// namesDir is where the tables of names and the keeper's socket are.
func (m *Manager) namesDir() string { return filepath.Join(m.o.RunDir, "names") }

// syncNames has the keeper answer for the network as its table is now. A
// keeper that is gone, or that ends at this moment, is started again.
func (m *Manager) syncNames(network string) error {
	var err error
	for range 3 {
		var conn *os.File
		if conn, err = m.keeper(); err != nil {
			break
		}
		err = names.Ask(conn, network)
		conn.Close()
		if errors.Is(err, names.ErrSilent) { // stopped, or out of its mind
			names.End(m.namesDir())
			continue
		}
		if !errors.Is(err, names.ErrGone) {
			break
		}
	}
	if err != nil {
		return errdef.Newf(errdef.ErrUnavailable, "answer for names of network %q: %w", network, err)
	}
	return nil
}

// keeper connects to the keeper, which is started where there is none.
func (m *Manager) keeper() (*os.File, error) {
	conn, err := names.Dial(m.namesDir())
	if errors.Is(err, names.ErrSilent) {
		names.End(m.namesDir())
		conn, err = names.Dial(m.namesDir())
	}
	if !errors.Is(err, names.ErrGone) {
		return conn, err
	}
	held, err := lockFile(filepath.Join(m.namesDir(), "start.lock"))
	if err != nil {
		return nil, err
	}
	defer held.Close()
	if conn, err = names.Dial(m.namesDir()); !errors.Is(err, names.ErrGone) {
		return conn, err // somebody was faster
	}
	if err := m.startKeeper(); err != nil {
		return nil, fmt.Errorf("start the keeper of names: %w", err)
	}
	return names.Dial(m.namesDir())
}

// watched makes sure that there is a keeper, which watches over the rules.
func (m *Manager) watched() error {
	if m.o.Firewall == noFirewall {
		return nil
	}
	if err := os.MkdirAll(m.namesDir(), 0o700); err != nil {
		return fmt.Errorf("make directory of names: %w", err)
	}
	conn, err := m.keeper()
	if err != nil {
		return err
	}
	return conn.Close()
}

// released has the keeper, if there is one, look whether it is needed.
func (m *Manager) released() {
	if conn, err := names.Dial(m.namesDir()); err == nil {
		conn.Close()
	}
}

// startKeeper starts the keeper on a new socket, so that there is somebody to
// connect to before it is up.
func (m *Manager) startKeeper() error {
	program, err := carried.Open(image, "image/keeper", m.o.ProgramDir, names.Program)
	if err != nil {
		return err
	}
	defer program.Close()
	listen, err := names.Listen(m.namesDir())
	if err != nil {
		return err
	}
	defer listen.Close()
	files := []*os.File{listen}
	path, done, err := carried.Path(program, files)
	if err != nil {
		return err
	}
	defer done()
	cmd := exec.Command(path, m.namesDir(), m.rules().Dir, m.leasesDir())
	cmd.Args[0] = names.Program
	cmd.Dir = "/"
	cmd.Env = []string{"GOMAXPROCS=1", "GOGC=50"}
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.o.Free(cmd.Process.Pid)
	return cmd.Process.Release()
}
