#!/bin/sh
# probe.sh runs in a container and says what it finds there, one "== FIELD" after
# the other with its lines. The shell's own process is looked at, so that nothing
# lies between the runtime and what is seen.
p=/proc/$$
field() { echo "== $1"; }
show() { # FILE…
	for f in "$@"; do
		[ -e "$f" ] || continue
		cat "$f" 2>&1 | while read -r line; do echo "$f: $line"; done
	done
}

field namespaces
for n in cgroup ipc mnt net pid time user uts; do echo "$n $(readlink $p/ns/$n)"; done
field mounts
cat $p/mountinfo
field status
grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Umask|SigBlk|SigIgn|THP_enabled|CoreDumping|Cap[A-Za-z]*):' $p/status
field ids
show $p/uid_map $p/gid_map $p/setgroups
id
field limits
tail -n +2 $p/limits
field score
show $p/oom_score_adj $p/timerslack_ns $p/personality $p/coredump_filter $p/loginuid $p/attr/current
field scheduler
chrt -p $$ 2>&1 | sed 's/^pid [0-9]*//'
ionice -p $$ 2>&1
field cgroup
cat $p/cgroup
field cgrouplimits
for c in /sys/fs/cgroup /sys/fs/cgroup/*; do
	for f in memory.limit_in_bytes memory.soft_limit_in_bytes memory.memsw.limit_in_bytes memory.swappiness memory.oom_control cpu.shares cpu.cfs_quota_us cpu.cfs_period_us \
		cpu.rt_runtime_us cpu.rt_period_us cpuset.cpus cpuset.mems pids.max blkio.weight blkio.bfq.weight blkio.weight_device blkio.throttle.read_bps_device \
		blkio.throttle.write_bps_device blkio.throttle.read_iops_device blkio.throttle.write_iops_device devices.list; do
		show "$c/$f"
	done
done | grep -v under_oom
field sysctls
show /proc/sys/kernel/shm* /proc/sys/kernel/msg* /proc/sys/kernel/sem /proc/sys/fs/mqueue/* /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range \
	/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/core/somaxconn /proc/sys/kernel/domainname
field devices
find /dev -xdev 2>/dev/null | sort | grep -v '^/dev/pts/[0-9]' | xargs stat -c '%n %F %a %u:%g %t:%T' 2>&1
find /dev -type l | sort | while read -r l; do echo "$l -> $(readlink "$l")"; done
stat -c '%n %F %a %u:%g' /dev/pts /dev/pts/ptmx /dev/shm /dev/mqueue 2>&1
field environment
tr '\0' '\n' <$p/environ | sort
field place
pwd
hostname
cat $p/cmdline | tr '\0' ' '
echo
field terminal
tty
stty size 2>&1
field files
show /etc/hosts /etc/resolv.conf /etc/hostname /run/.containerenv
stat -c '%n %F %a %u:%g' /etc/hosts /etc/resolv.conf /etc/hostname /etc/mtab /etc/passwd /etc/group /run/.containerenv /run/secrets / /run /tmp /var/tmp /proc /sys /etc 2>&1
readlink /etc/mtab
cat /etc/passwd /etc/group
field descriptors
for f in $p/fd/*; do echo "${f##*/} $(readlink "$f" | sed 's/[0-9]\{3,\}/N/')"; done
field writing
for f in / /tmp /run /dev /dev/shm /var/tmp /etc /proc/sys/kernel/domainname /proc/sysrq-trigger /sys/kernel /sys/fs/cgroup /proc/kcore /proc/keys /proc/timer_list /sys/firmware; do
	w=no r=no
	if [ -d "$f" ]; then (: >"$f/.probe") 2>/dev/null && { w=yes; rm "$f/.probe"; }; ls "$f" >/dev/null 2>&1 && r=yes; r="$r $(ls "$f" 2>/dev/null | wc -l | sed 's/^0$/empty/;s/^[0-9]*$/some/')"
	else [ -w "$f" ] && w=yes; head -c 1 "$f" 2>/dev/null | grep -q . && r=yes; fi
	echo "$f write:$w read:$r"
done
field processes
all=$(ps -o args)
echo "$all" | grep -E '^(sleep|/run/podman-init|/dev/init|catatonit)' | sort
field calls
/calls
field end
