/* calls makes every system call with arguments that can't succeed, each in a
 * process of its own, and prints what came of it: what a filter forbids shows. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST = 470 };

static void report(const char *name, long result)
{
	if (result >= 0)
		printf("%s ok\n", name);
	else
		printf("%s %s\n", name, strerrorname_np(errno));
}

/* apart calls f in a process of its own: it may change or kill it. */
static void apart(const char *name, long (*f)(long), long argument)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		setsid();
		alarm(2);
		report(name, f(argument));
		fflush(stdout);
		_exit(0);
	}
	int status = 0;
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s signal %d\n", name, WTERMSIG(status));
}

static long call(long nr) { return syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L); }
static long open_socket(long family) { return socket(family, family == AF_NETLINK || family == AF_PACKET ? SOCK_RAW : SOCK_STREAM, 0); }
static long audit_socket(long protocol) { return socket(AF_NETLINK, SOCK_RAW, protocol); }
static long leave(long flag) { return unshare(flag); }
static long begin(long flag) { return syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0); }
static long become(long persona) { return syscall(SYS_personality, persona); }

int main(void)
{
	/* What ends, stops or waits for good, and what has an effect whatever its arguments. */
	static const long without[] = {SYS_exit, SYS_exit_group, SYS_pause, SYS_fork, SYS_vfork, SYS_rt_sigreturn, SYS_vhangup, SYS_sync, SYS_reboot};
	static const long flags[] = {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, 0};
	static const long personas[] = {0, 8, 0x20000, 0x20008, 0x40000, 0xffffffff, -1};
	char name[64];
	for (long nr = 0; nr < LAST; nr++) {
		int skip = 0;
		for (unsigned i = 0; i < sizeof without / sizeof *without; i++)
			skip |= without[i] == nr;
		if (skip)
			continue;
		snprintf(name, sizeof name, "call %ld", nr);
		apart(name, call, nr);
	}
	for (long family = 0; family < 46; family++) {
		snprintf(name, sizeof name, "socket family %ld", family);
		apart(name, open_socket, family);
	}
	apart("socket audit", audit_socket, 9);
	for (int i = 0; flags[i]; i++) {
		snprintf(name, sizeof name, "unshare %lx", flags[i]);
		apart(name, leave, flags[i]);
		snprintf(name, sizeof name, "clone %lx", flags[i]);
		apart(name, begin, flags[i]);
	}
	for (int i = 0; personas[i] >= 0; i++) {
		snprintf(name, sizeof name, "personality %lx", personas[i]);
		apart(name, become, personas[i]);
	}
	return 0;
}
