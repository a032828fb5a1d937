package main

import (
	"regexp"
	"slices"
	"strings"
)

// The options of a super block that say where it came from, not what it does.
var origin = regexp.MustCompile(`^(lowerdir|upperdir|workdir|redirect_dir|index|xino|metacopy|nfs_export|volatile|uuid|size=\d+k|nr_inodes=\d+|inode64|fd=|pgrp=)`)

// mount makes a line of mountinfo one that can be compared: numbers and places
// of the host go, options are in order.
func (s *side) mount(line string) string {
	fields := strings.Fields(line)
	dash := slices.Index(fields, "-")
	if dash < 6 || len(fields) < dash+4 {
		return line
	}
	root, target := fields[3], fields[4]
	kind, source, super := fields[dash+1], fields[dash+2], strings.Split(fields[dash+3], ",")
	options := strings.Split(fields[5], ",")
	var propagation []string
	for _, p := range fields[6:dash] {
		name, _, _ := strings.Cut(p, ":")
		propagation = append(propagation, name)
	}
	switch {
	case strings.HasSuffix(root, "/null") && slices.Contains(options, "ro"):
		return target + " masked file"
	case strings.HasSuffix(root, "/.empty-directory"), kind == "tmpfs" && slices.Contains(options, "ro") && slices.Contains(super, "size=4k"):
		return target + " masked directory"
	case strings.Contains(root, "/userdata/"): // written by podman; ours are without set-user-ID programs and devices, too
		root = "/userdata"
		options = slices.DeleteFunc(options, func(o string) bool { return o == "nosuid" || o == "nodev" })
	case kind == "cgroup":
		source = kind // a name that means nothing
		options = slices.DeleteFunc(options, func(o string) bool { return o == "nosymfollow" })
	}
	super = slices.DeleteFunc(super, func(o string) bool {
		return origin.MatchString(o) && !(kind == "tmpfs" && strings.HasPrefix(o, "size="))
	})
	slices.Sort(options)
	slices.Sort(super)
	slices.Sort(propagation)
	if strings.HasPrefix(source, "/dev/") { // the host's disk
		source = "DISK"
	}
	return strings.Join([]string{target, kind, "root=" + root, "from=" + source, strings.Join(options, ","), "super=" + strings.Join(super, ","), strings.Join(propagation, ",")}, " ")
}

// close removes everything of this side.
func (s *side) close() {
	_, _ = s.shell("podman rm -fa -t 0; podman volume rm -fa; podman rmi -fa; umount -l "+s.dir+"/store/overlay "+s.dir+"/run; rm -rf "+s.dir, nil)
}
