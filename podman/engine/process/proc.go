package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/runtime"
	"golang.org/x/sys/unix"
)

// host is what is the same for all processes of a table.
type host struct {
	now            time.Time
	boot           time.Time
	users, groups  map[string]string // of the container, by number
	husers, hgroup map[string]string // of the host
}

// proc is what /proc says of one process.
type proc struct {
	host   *host
	pid    int
	stat   []string          // the fields of stat from the third on
	status map[string]string // the lines of status
}

// ticks is how many clock ticks /proc counts in a second, the same on all of
// Linux's platforms that matter here.
const ticks = 100

func readHost(root string, now time.Time) (*host, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("read uptime: %w", err)
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return nil, fmt.Errorf("read uptime: %w", err)
	}
	h := &host{now: now, boot: now.Add(-time.Duration(up.Nano()))}
	h.users, h.groups = names(root, "/etc/passwd"), names(root, "/etc/group")
	h.husers, h.hgroup = names("/", "/etc/passwd"), names("/", "/etc/group")
	return h, nil
}

// names reads which number has which name; a file that isn't there, or is too
// long, tells none.
func names(root, file string) map[string]string {
	const limit = 1 << 20
	list := map[string]string{}
	data, err := rootfs.ReadFile(root, file, limit)
	if err != nil {
		return list
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		fields := strings.Split(line, ":")
		if len(fields) < 3 {
			continue
		}
		if _, taken := list[fields[2]]; !taken {
			list[fields[2]] = fields[0]
		}
	}
	return list
}

func readProc(pid int, h *host) (*proc, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil, err
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return nil, err
	}
	p := &proc{host: h, pid: pid, status: map[string]string{}}
	// The command's name stands in parentheses and may hold anything.
	p.stat = strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for line := range strings.SplitSeq(string(status), "\n") {
		key, value, _ := strings.Cut(line, ":")
		p.status[key] = strings.TrimSpace(value)
	}
	return p, nil
}

// isGone is the error of reading about a process that has just ended.
func isGone(err error) bool { return errors.Is(err, unix.ESRCH) }

// field is a field of stat, numbered as in proc(5).
func (p *proc) field(n int) string {
	if n-3 >= len(p.stat) || n < 3 {
		return "?"
	}
	return p.stat[n-3]
}

func (p *proc) number(n int) int64 {
	v, _ := strconv.ParseInt(p.field(n), 10, 64)
	return v
}

func (p *proc) args() string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "cmdline"))
	if err != nil || len(data) == 0 {
		return "[" + p.status["Name"] + "]"
	}
	return strings.ReplaceAll(string(data), "\x00", " ")
}

// begun is when the process was started.
func (p *proc) begun() time.Time {
	return p.host.boot.Add(time.Duration(p.number(22)) * (time.Second / ticks))
}

func (p *proc) elapsed() time.Duration { return p.host.now.Sub(p.begun()) }

// used is the processor time that it has used.
func (p *proc) used() time.Duration {
	return time.Duration(p.number(14)+p.number(15)) * (time.Second / ticks)
}

func (p *proc) cpu() string {
	elapsed := p.elapsed().Seconds()
	if elapsed <= 0 {
		return "0.000"
	}
	return strconv.FormatFloat(100*p.used().Seconds()/elapsed, 'f', 3, 64)
}

// inner is the last of a list of numbers, one for each nested namespace: the
// one that the process itself sees.
func (p *proc) inner(key string) string {
	list := strings.Fields(p.status[key])
	if len(list) == 0 {
		return "?"
	}
	return list[len(list)-1]
}

// hostPid is the first one, which the host sees.
func (p *proc) hostPid() string { return strconv.Itoa(p.pid) }

// parent is the parent's number in the process's namespace, 0 when it lies
// outside.
func (p *proc) parent() string {
	if p.inner("NSpid") == "1" && len(strings.Fields(p.status["NSpid"])) > 1 {
		return "0"
	}
	ppid, err := strconv.Atoi(p.status["PPid"])
	if err != nil || ppid == 0 {
		return "0"
	}
	up, err := readProc(ppid, p.host)
	if err != nil || len(strings.Fields(up.status["NSpid"])) != len(strings.Fields(p.status["NSpid"])) {
		return "0"
	}
	return up.inner("NSpid")
}

// id is one of the four IDs of a line of status: real, effective, saved, file.
func (p *proc) id(key string, which int) string {
	ids := strings.Fields(p.status[key])
	if which >= len(ids) {
		return "?"
	}
	return ids[which]
}

// innerID turns an ID of the host's into the one that the process sees.
func (p *proc) innerID(kind, id string) string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), kind+"_map"))
	n, perr := strconv.ParseInt(id, 10, 64)
	if err != nil || perr != nil {
		return id
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		var inside, outside, size int64
		if _, err := fmt.Sscan(line, &inside, &outside, &size); err == nil && n >= outside && n < outside+size {
			return strconv.FormatInt(inside+n-outside, 10)
		}
	}
	return id
}

func named(list map[string]string, id string) string {
	if name, ok := list[id]; ok {
		return name
	}
	return id
}

func (p *proc) user(key string, which int) string {
	return named(p.host.users, p.innerID("uid", p.id(key, which)))
}

func (p *proc) group(key string, which int) string {
	return named(p.host.groups, p.innerID("gid", p.id(key, which)))
}

func (p *proc) hostUser(id string) string  { return named(p.host.husers, id) }
func (p *proc) hostGroup(id string) string { return named(p.host.hgroup, id) }

func (p *proc) groups() string {
	ids := strings.Fields(p.status["Groups"])
	for i, id := range ids {
		ids[i] = named(p.host.groups, p.innerID("gid", id))
	}
	return strings.Join(ids, ",")
}

func (p *proc) hostGroups() string {
	ids := strings.Fields(p.status["Groups"])
	for i, id := range ids {
		ids[i] = p.hostGroup(id)
	}
	return strings.Join(ids, ",")
}

// caps names the capabilities of a set; all of the kernel's are "full".
func (p *proc) caps(key string) string {
	bits, err := strconv.ParseUint(p.status[key], 16, 64)
	if err != nil {
		return "?"
	}
	names := runtime.CapabilityNames(bits)
	if len(names) == 0 {
		return "none"
	}
	if all, err := runtime.AllCapabilities(); err == nil && len(names) == len(all) {
		return "full"
	}
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, "CAP_")
	}
	return strings.Join(names, ",")
}

func (p *proc) kilobytes(key string) string {
	n, _, _ := strings.Cut(p.status[key], " ")
	if n == "" {
		return "0"
	}
	return n
}

func (p *proc) seccomp() string {
	switch p.status["Seccomp"] {
	case "0":
		return "disabled"
	case "1":
		return "strict"
	case "2":
		return "filter"
	}
	return "?"
}

func (p *proc) label() string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "attr/current"))
	text := strings.TrimRight(string(data), "\x00\n")
	if err != nil || text == "" {
		return "?"
	}
	return text
}

// terminal names the controlling terminal by its device number.
func (p *proc) terminal() string {
	n := uint64(p.number(7))
	if n == 0 {
		return "?"
	}
	major, minor := unix.Major(n), unix.Minor(n)
	switch {
	case major >= 136 && major <= 143:
		return "pts/" + strconv.Itoa(int(major-136)*256+int(minor))
	case major == 4:
		return "tty" + strconv.Itoa(int(minor))
	}
	return "?"
}
