package process

import (
	"os"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Column is one column of the table.
type Column struct {
	Heading string
	value   func(p *proc) string
}

// Columns finds the columns by their descriptors, or by their short forms
// (%C). Each may hold several, separated by commas.
func Columns(descriptors []string) ([]Column, error) {
	var list []Column
	for _, text := range descriptors {
		for d := range strings.SplitSeq(text, ",") {
			if d == "" {
				continue
			}
			c, ok := column(d)
			if !ok {
				return nil, errdef.Newf(errdef.ErrInvalid, "unknown descriptor %q", d)
			}
			list = append(list, c)
		}
	}
	return list, nil
}

// Known says whether all descriptors name columns.
func Known(descriptors []string) bool {
	_, err := Columns(descriptors)
	return err == nil
}

// Table reads the processes and makes a row of headings and one for each. A
// process that has ended meanwhile has none. root is the root directory that
// they see, where the names of their users stand.
func Table(columns []Column, pids []int, root string, now time.Time) ([][]string, error) {
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = c.Heading
	}
	rows := [][]string{head}
	h, err := readHost(root, now)
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		p, err := readProc(pid, h)
		if os.IsNotExist(err) || isGone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = c.value(p)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Descriptors names all columns, for the help.
const Descriptors = "args,capamb,capbnd,capeff,capinh,capprm,comm,etime,group,groups,hgroup,hgroups,hpid,huid,huser,label,nice,pcpu,pgid,pid,ppid,rgroup,rss,ruser,seccomp,state,stime,time,tty,uid,user,vsz"

func column(d string) (Column, bool) {
	status := func(heading, key string) Column {
		return Column{heading, func(p *proc) string { return p.status[key] }}
	}
	switch d {
	case "args", "%a":
		return Column{"COMMAND", (*proc).args}, true
	case "capamb":
		return Column{"AMBIENT CAPS", func(p *proc) string { return p.caps("CapAmb") }}, true
	case "capbnd":
		return Column{"BOUNDING CAPS", func(p *proc) string { return p.caps("CapBnd") }}, true
	case "capeff":
		return Column{"EFFECTIVE CAPS", func(p *proc) string { return p.caps("CapEff") }}, true
	case "capinh":
		return Column{"INHERITED CAPS", func(p *proc) string { return p.caps("CapInh") }}, true
	case "capprm":
		return Column{"PERMITTED CAPS", func(p *proc) string { return p.caps("CapPrm") }}, true
	case "comm", "%c":
		return status("COMMAND", "Name"), true
	case "etime", "%t":
		return Column{"ELAPSED", func(p *proc) string { return p.elapsed().String() }}, true
	case "group", "%G":
		return Column{"GROUP", func(p *proc) string { return p.group("Gid", 1) }}, true
	case "rgroup", "%g":
		return Column{"RGROUP", func(p *proc) string { return p.group("Gid", 0) }}, true
	case "groups":
		return Column{"GROUPS", (*proc).groups}, true
	case "hgroup":
		return Column{"HGROUP", func(p *proc) string { return p.hostGroup(p.id("Gid", 1)) }}, true
	case "hgroups":
		return Column{"HGROUPS", (*proc).hostGroups}, true
	case "hpid":
		return Column{"HPID", (*proc).hostPid}, true
	case "huid":
		return Column{"HUID", func(p *proc) string { return p.id("Uid", 1) }}, true
	case "huser":
		return Column{"HUSER", func(p *proc) string { return p.hostUser(p.id("Uid", 1)) }}, true
	case "label":
		return Column{"LABEL", (*proc).label}, true
	case "nice", "%n":
		return Column{"NI", func(p *proc) string { return p.field(19) }}, true
	case "pcpu", "%C":
		return Column{"%CPU", (*proc).cpu}, true
	case "pgid", "%r":
		return Column{"PGID", func(p *proc) string { return p.inner("NSpgid") }}, true
	case "pid", "%p":
		return Column{"PID", func(p *proc) string { return p.inner("NSpid") }}, true
	case "ppid", "%P":
		return Column{"PPID", (*proc).parent}, true
	case "rss":
		return Column{"RSS", func(p *proc) string { return p.kilobytes("VmRSS") }}, true
	case "ruser", "%u":
		return Column{"RUSER", func(p *proc) string { return p.user("Uid", 0) }}, true
	case "seccomp":
		return Column{"SECCOMP", (*proc).seccomp}, true
	case "state":
		return Column{"STATE", func(p *proc) string { return p.field(3) }}, true
	case "stime":
		return Column{"STIME", func(p *proc) string { return p.begun().Truncate(time.Second).String() }}, true
	case "time", "%x":
		return Column{"TIME", func(p *proc) string { return p.used().Truncate(time.Second).String() }}, true
	case "tty", "%y":
		return Column{"TTY", (*proc).terminal}, true
	case "uid":
		return Column{"UID", func(p *proc) string { return p.innerID("uid", p.id("Uid", 1)) }}, true
	case "user", "%U":
		return Column{"USER", func(p *proc) string { return p.user("Uid", 1) }}, true
	case "vsz", "%z":
		return Column{"VSZ", func(p *proc) string { return p.kilobytes("VmSize") }}, true
	}
	return Column{}, false
}
