/*
 * Joins the user's namespaces before the Go runtime starts its threads, and is
 * the pause process that keeps them.
 */
#define _GNU_SOURCE
#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/nsfs.h>

int userns_state;
int userns_errno;
unsigned userns_uid;
unsigned userns_gid;

static int same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* holds_lock tells whether process pid has a record lock on the open file:
 * the mark of our own pause process, which no process with a reused pid has. */
static int holds_lock(int fd, pid_t pid)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid == pid;
}

/* is_catatonit tells whether the process is the pause program of other tools
 * that share this file: "catatonit -P" in our own pid namespace. */
static int is_catatonit(int proc)
{
	char line[PATH_MAX + 8];
	const char *base;
	ssize_t n;
	int fd, same;

	fd = openat(proc, "ns/pid", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	same = same_file(fd, "/proc/self/ns/pid");
	close(fd);
	fd = openat(proc, "cmdline", O_RDONLY | O_CLOEXEC);
	if (!same || fd < 0) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	n = read(fd, line, sizeof line - 1);
	close(fd);
	if (n < 4 || line[n - 1] != '\0')
		return 0;
	base = strrchr(line, '/');
	base = base ? base + 1 : line;
	if (strcmp(base, "catatonit") != 0)
		return 0;
	return strlen(line) + 4 == (size_t)n && strcmp(line + strlen(line) + 1, "-P") == 0;
}

/* read_pid reads the pid from the file, which must be the user's own. */
static pid_t read_pid(int fd, uid_t uid)
{
	char text[24], *end;
	struct stat st;
	ssize_t n;
	long pid;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != uid || (st.st_mode & 022))
		return 0;
	n = pread(fd, text, sizeof text - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	pid = strtol(text, &end, 10);
	if (end == text || (*end != '\0' && *end != '\n') || pid < 2 || pid > INT_MAX)
		return 0;
	return (pid_t)pid;
}

/* child_of_ours tells whether the user namespace belongs to the user and was
 * made directly in ours. */
static int child_of_ours(int userfd, uid_t uid)
{
	uid_t owner;
	int parent, same;

	if (ioctl(userfd, NS_GET_OWNER_UID, &owner) != 0 || owner != uid)
		return 0;
	parent = ioctl(userfd, NS_GET_PARENT);
	if (parent < 0)
		return 0;
	same = same_file(parent, "/proc/self/ns/user");
	close(parent);
	return same;
}

/* find_pause opens the namespaces of the pause process that path names. The
 * process is checked after they are open: had it gone and its pid been given
 * to another, the check would fail. */
static pid_t find_pause(const char *path, uid_t uid, int *userfd, int *mntfd)
{
	char dir[32];
	struct stat st;
	int fd, proc = -1, ok = 0;
	pid_t pid = 0;

	*userfd = *mntfd = -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	pid = read_pid(fd, uid);
	if (pid == 0)
		goto out;
	snprintf(dir, sizeof dir, "/proc/%d", (int)pid);
	proc = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || fstat(proc, &st) != 0 || st.st_uid != uid)
		goto out;
	*userfd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
	*mntfd = openat(proc, "ns/mnt", O_RDONLY | O_CLOEXEC);
	if (*userfd < 0 || *mntfd < 0)
		goto out;
	ok = (holds_lock(fd, pid) || is_catatonit(proc)) && child_of_ours(*userfd, uid);
out:
	close(fd);
	if (proc >= 0)
		close(proc);
	if (!ok) {
		if (*userfd >= 0)
			close(*userfd);
		if (*mntfd >= 0)
			close(*mntfd);
		return 0;
	}
	return pid;
}

int userns_pause_pid(const char *path)
{
	int userfd, mntfd;
	pid_t pid = find_pause(path, geteuid(), &userfd, &mntfd);

	if (pid != 0) {
		close(userfd);
		close(mntfd);
	}
	return pid;
}

/* pause_path writes the name of the pid file; StateDir in Go says the same. */
static int pause_path(char *path, size_t size)
{
	const char *dir = secure_getenv("_PODSUITE_USERNS_DIR");
	struct stat st;
	int n;

	if (dir && dir[0] == '/')
		return snprintf(path, size, "%s/pause.pid", dir) < (int)size;
	dir = secure_getenv("XDG_RUNTIME_DIR");
	if (dir && dir[0] == '/')
		return snprintf(path, size, "%s/libpod/tmp/pause.pid", dir) < (int)size;
	n = snprintf(path, size, "/run/user/%u", userns_uid);
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != userns_uid)
		n = snprintf(path, size, "/tmp/podman-run-%u", userns_uid);
	return snprintf(path + n, size - n, "/libpod/tmp/pause.pid") < (int)size - n;
}

static void join(void)
{
	char path[PATH_MAX], cwd[PATH_MAX];
	int userfd, mntfd, here;

	if (!pause_path(path, sizeof path))
		return;
	if (find_pause(path, userns_uid, &userfd, &mntfd) == 0)
		return;
	/* The name is looked up again in the other mount namespace; the
	 * descriptor serves when the name is gone. */
	here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (getcwd(cwd, sizeof cwd) == NULL)
		cwd[0] = '\0';
	if (setns(userfd, CLONE_NEWUSER) != 0) {
		userns_errno = errno;
		goto out;
	}
	userns_state = 2;
	if (setns(mntfd, CLONE_NEWNS) != 0 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) {
		userns_errno = errno;
		goto out;
	}
	userns_state = 1;
	if ((cwd[0] != '/' || chdir(cwd) != 0) && here >= 0 && fchdir(here) != 0)
		userns_errno = errno;
out:
	close(userfd);
	close(mntfd);
	if (here >= 0)
		close(here);
}

/* report sends an errno, or 0, to the process that started us. */
static void report(int sock, int err)
{
	if (write(sock, &err, sizeof err) != sizeof err || err != 0)
		_exit(1);
}

/* pause_process makes the namespaces, waits for its parent to write the ID
 * maps, and keeps them. Descriptor 3 is a socket to the parent, 4 the pid file. */
static void pause_process(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	sigset_t all;
	char go;

	report(3, fcntl(4, F_SETLK, &lock) == 0 ? 0 : errno);
	report(3, unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : errno);
	if (read(3, &go, 1) != 1)
		_exit(1);
	report(3, setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0 ? 0 : errno);
	/* What the host mounts later shows here; what is mounted here stays. */
	report(3, mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 ? 0 : errno);
	if (chdir("/") != 0)
		_exit(1);
	prctl(PR_SET_NAME, "podman pause");
	syscall(SYS_close_range, 5u, ~0u, 0);
	for (int fd = 0; fd < 4; fd++)
		close(fd);
	sigfillset(&all);
	sigdelset(&all, SIGTERM);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGTERM, SIG_DFL);
	for (;;)
		pause();
}

__attribute__((constructor)) static void userns_constructor(void)
{
	userns_uid = geteuid();
	if (userns_uid == 0)
		return;
	userns_gid = getegid();
	/* A container's first process has namespaces of its own to join. */
	if (secure_getenv("_PODSUITE_PAUSE") != NULL)
		pause_process();
	join();
}
