/*
 * A child that makes namespaces for others to keep. It is a fork of a program
 * with threads, so it makes nothing but system calls.
 */
#define _GNU_SOURCE
#include "make.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* loopback_up sets lo up in the process's network namespace. */
static int loopback_up(void)
{
	struct ifreq request;
	int fd, err = 0;

	memset(&request, 0, sizeof request);
	memcpy(request.ifr_name, "lo", 3);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		err = errno;
	close(fd);
	return err;
}

static int become(int user, int flags)
{
	if (user >= 0 && setns(user, CLONE_NEWUSER) != 0)
		return errno;
	if (unshare(flags) != 0)
		return errno;
	return flags & CLONE_NEWNET ? loopback_up() : 0;
}

int userns_child(int user, int flags, int sock)
{
	long pid;
	int err;
	char c;

#ifdef __s390x__
	pid = syscall(SYS_clone, 0, SIGCHLD, 0, 0, 0);
#else
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
	if (pid != 0)
		return pid < 0 ? -errno : (int)pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	err = become(user, flags);
	if (write(sock, &err, sizeof err) == sizeof err)
		while (read(sock, &c, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}
