/*
 * The first program of a container's process: it carries out a list of
 * operations (ops.go says what they are), then executes the user's command.
 * It has no C library and allocates nothing, runs from a sealed memory file
 * of a few pages, and knows nothing of configurations: what is to be done has
 * been checked and written down before.
 *
 * Inside the root file system, paths are opened by openat2 with
 * RESOLVE_IN_ROOT and mounts are attached to descriptors, so nothing that lies
 * in an image can lead out of it.
 */
#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <linux/types.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <stddef.h>
#include <stdint.h>

#include "ops.h"

/* ------------------------------------------------------------ system calls */

#if defined(__x86_64__)
static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
__asm__(".globl _start\n_start:\n\txor %ebp,%ebp\n\tmov %rsp,%rdi\n\tand $-16,%rsp\n\tcall run\n\thlt\n");
#elif defined(__aarch64__)
static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
__asm__(".globl _start\n_start:\n\tmov x29,#0\n\tmov x0,sp\n\tbl run\n");
#elif defined(__riscv) && __riscv_xlen == 64
static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long a7 __asm__("a7") = n;
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;
	register long a5 __asm__("a5") = f;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
	return a0;
}
__asm__(".globl _start\n_start:\n\tmv a0,sp\n\tandi sp,sp,-16\n\tcall run\n");
#else
#error "no system call for this architecture yet"
#endif

#define SYS(n, a, b, c, d, e) sys6(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS4(n, a, b, c, d) SYS(n, a, b, c, d, 0)
#define SYS3(n, a, b, c) SYS(n, a, b, c, 0, 0)
#define SYS2(n, a, b) SYS(n, a, b, 0, 0, 0)
#define SYS1(n, a) SYS(n, a, 0, 0, 0, 0)

enum { EPERM_ = 1, ENOENT_ = 2, EINTR_ = 4, ENOMEM_ = 12, EACCES_ = 13, EEXIST_ = 17, ENODEV_ = 19, ENOTDIR_ = 20, EISDIR_ = 21, EINVAL_ = 22,
       EROFS_ = 30, ENAMETOOLONG_ = 36, ENOSYS_ = 38, ELOOP_ = 40, EOPNOTSUPP_ = 95 };

/* What the kernel's headers leave to the C library. */
enum { S_FMT = 0170000, S_DIR = 0040000, S_CHR = 0020000, S_REG = 0100000, S_LNK = 0120000 };
enum { MS_REC_ = 16384, MS_SLAVE_ = 1 << 19, MNT_DETACH_ = 2, PATH_MAX_ = 4096 };
enum { SOL_SOCKET_ = 1, SCM_RIGHTS_ = 1, MSG_NOSIGNAL_ = 0x4000 };
enum { SIGCHLD_ = 17, CLOSE_RANGE_CLOEXEC_ = 4, X_OK_ = 1 };
enum { KEYCTL_JOIN = 1, KEYCTL_SETPERM = 5, KEYCTL_DESCRIBE = 6 };

struct iovec_ { void *base; size_t len; };
struct msghdr_ { void *name; int namelen; struct iovec_ *iov; size_t iovlen; void *control; size_t controllen; int flags; };
struct cmsg_ { size_t len; int level, type, fd, pad; };

void *memset(void *to, int c, size_t n)
{
	for (char *p = to; n--;)
		*p++ = (char)c;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	const char *f = from;

	for (char *p = to; n--;)
		*p++ = *f++;
	return to;
}

static size_t len(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* ------------------------------------------------------------------- state */

static const struct program *program; /* the operations */
static const struct op *current;
static int sock;            /* to the parent */
static int root = -1;       /* the container's root file system */
static int proc = -1;       /* a /proc of this pid namespace, or the host's */
static int in_cwd;          /* the working directory has been entered */
static char command[PATH_MAX_]; /* the file to execute */

static const char *str(uint32_t offset) { return (const char *)program + program->strings + offset; }

/* ---------------------------------------------------------- to the parent */

static void send(int kind, int value, const char *step)
{
	struct message m = { .kind = kind, .value = value, .op = current ? (uint32_t)(current - program->ops) : 0 };
	size_t n = len(step);

	memcpy(m.step, step, n < sizeof m.step - 1 ? n : sizeof m.step - 1);
	SYS(sendto, sock, &m, sizeof m, MSG_NOSIGNAL_, 0);
}

static void __attribute__((noreturn)) quit(int status)
{
	for (;;)
		SYS1(exit_group, status);
}

/* fail reports the error number (negative, as the kernel returns it). */
static void __attribute__((noreturn)) fail(const char *step, long err)
{
	send(MSG_ERROR, (int)-err, step);
	quit(1);
}

static long must(const char *step, long ret)
{
	if (ret < 0)
		fail(step, ret);
	return ret;
}

/* await waits for the parent's word; without a parent there is nothing to do. */
static void await(void)
{
	char c;
	long n;

	do
		n = SYS3(read, sock, &c, 1);
	while (n == -EINTR_);
	if (n != 1)
		quit(1);
}

static void send_fd(int fd)
{
	struct message m = { .kind = MSG_CONSOLE };
	struct iovec_ iov = { &m, sizeof m };
	struct cmsg_ c = { .len = offsetof(struct cmsg_, pad), .level = SOL_SOCKET_, .type = SCM_RIGHTS_, .fd = fd };
	struct msghdr_ h = { .iov = &iov, .iovlen = 1, .control = &c, .controllen = sizeof c };

	must("send the console", SYS3(sendmsg, sock, &h, MSG_NOSIGNAL_));
}

/* ---------------------------------------------- paths in the root file system */

static long open_in(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };

	return SYS4(openat2, dir, path, &how, sizeof how);
}

static long in_root(const char *path, uint64_t flags)
{
	return open_in(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static unsigned mode_of(int fd)
{
	struct statx st;

	must("stat", SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE, &st));
	return st.stx_mode;
}

static int is_dir(int fd) { return (mode_of(fd) & S_FMT) == S_DIR; }

/* follow rewrites path, whose first `end` bytes name a dangling symbolic link
 * in directory dir, to what the link says. */
static void follow(int dir, const char *name, char *path, size_t start, size_t end)
{
	char rest[PATH_MAX_], link[PATH_MAX_];
	long n = must("read link", SYS4(readlinkat, dir, name, link, sizeof link - 1));
	size_t r = len(path + end), at = link[0] == '/' ? 0 : start;

	memcpy(rest, path + end, r + 1);
	if (at + n + r + 2 > PATH_MAX_)
		fail("resolve path", -ENAMETOOLONG_);
	memcpy(path + at, link, n);
	memcpy(path + at + n, rest, r + 1);
}

/* make makes one directory or file, and opens it. */
static long make(int dir, const char *name, int directory, unsigned mode)
{
	long fd, err;

	if (directory) {
		err = SYS3(mkdirat, dir, name, mode);
	} else {
		err = fd = SYS4(openat, dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd >= 0)
			SYS1(close, fd);
	}
	if (err < 0 && err != -EEXIST_)
		return err;
	return open_in(dir, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH);
}

/* place opens a path in the root, after making what is missing of it. The
 * path is walked by descriptors from the root for each part that is missing. */
static int place(const char *wanted, int directory, unsigned mode)
{
	char path[PATH_MAX_], name[256];
	long fd = in_root(wanted, O_PATH);
	int links = 0;

	if (fd >= 0)
		return (int)fd;
	if (fd != -ENOENT_)
		fail("open target", fd);
	if (len(wanted) >= PATH_MAX_)
		fail("open target", -ENAMETOOLONG_);
	memcpy(path, wanted, len(wanted) + 1);
again:;
	int dir = (int)must("open root", SYS3(openat, root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	for (size_t start = 0, end;; start = end) {
		while (path[start] == '/')
			start++;
		if (!path[start])
			return dir;
		for (end = start; path[end] && path[end] != '/'; end++)
			;
		if (end - start >= sizeof name)
			fail("open target", -ENAMETOOLONG_);
		memcpy(name, path + start, end - start);
		name[end - start] = 0;
		size_t next = end;
		while (path[next] == '/')
			next++;
		int last = !path[next];
		char cut = path[end];
		path[end] = 0;
		fd = in_root(path, O_PATH);
		path[end] = cut;
		if (fd == -ENOENT_) {
			fd = make(dir, name, directory || !last, mode);
			if (fd >= 0 && (mode_of((int)fd) & S_FMT) == S_LNK) {
				if (++links > 40)
					fail("open target", -ELOOP_);
				follow(dir, name, path, start, end);
				SYS1(close, fd);
				SYS1(close, dir);
				goto again;
			}
		}
		must("make target", fd);
		SYS1(close, dir);
		dir = (int)fd;
	}
}

/* parent opens the directory that a path in the root lies in, and gives the
 * last name. */
static int parent_of(const char *path, const char **name)
{
	char dir[PATH_MAX_];
	size_t n = len(path);

	while (n > 1 && path[n - 1] != '/')
		n--;
	*name = path + n;
	if (n >= PATH_MAX_)
		fail("open target", -ENAMETOOLONG_);
	memcpy(dir, path, n);
	dir[n] = 0;
	return place(dir, 1, 0755);
}

/* ------------------------------------------------------------------ mounts */

static long set_attributes(int fd, uint64_t set, uint64_t clear, uint64_t propagation, int recursive)
{
	struct mount_attr a = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	/* The kinds of access time exclude each other: one bit field. */
	if (set & MOUNT_ATTR__ATIME)
		a.attr_clr |= MOUNT_ATTR__ATIME;
	if (!set && !clear && !propagation)
		return 0;
	return SYS(mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof a);
}

static void attach(int mount, int target)
{
	must("attach mount", SYS(move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

/* new_mount makes a file system that is nowhere attached yet. */
static long new_mount(const char *type, const char *options, uint32_t n, uint64_t attributes)
{
	long fs = SYS2(fsopen, type, FSOPEN_CLOEXEC), err;

	if (fs < 0)
		return fs;
	for (; n--; options += len(options) + 1) {
		char key[64];
		size_t k = 0;

		while (options[k] && options[k] != '=' && k < sizeof key - 1) {
			key[k] = options[k];
			k++;
		}
		key[k] = 0;
		if (options[k] == '=')
			err = SYS(fsconfig, fs, FSCONFIG_SET_STRING, key, options + k + 1, 0);
		else
			err = SYS(fsconfig, fs, FSCONFIG_SET_FLAG, key, 0, 0);
		if (err < 0)
			return err;
	}
	err = SYS(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (err >= 0)
		err = SYS3(fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	SYS1(close, fs);
	return err;
}

/* target opens where to mount. The kernel's own file systems are mounted at
 * real directories only: a link would mislead what is masked in them later. */
static int target(const char *path, int directory, uint64_t bits)
{
	int fd = place(path, directory, 0755);

	if (bits & MOUNT_REAL) {
		long real = open_in(root, path, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

		must("open target without links", real);
		SYS1(close, fd);
		fd = (int)real;
	}
	return fd;
}

static void op_root(const struct op *o)
{
	const char *path = str(o->s1);

	if (o->fd >= 0) {
		/* Its place may be closed to a user namespace, the host's root is not. */
		must("attach root", SYS(move_mount, o->fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
		root = o->fd;
		return;
	}
	/* A mount of its own, whose parent is not shared, as pivot_root asks. */
	long bound = must("open root", SYS3(open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC));

	must("set root's propagation", set_attributes((int)bound, 0, 0, MS_SLAVE_, 1));
	must("attach root", SYS(move_mount, bound, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
	root = (int)bound;
}

static void op_mount(const struct op *o)
{
	long m = new_mount(str(o->s1), str(o->s3), o->n, o->a);

	must("mount", m);
	attach((int)m, target(str(o->s2), 1, o->b));
	if (o->c)
		must("set propagation", set_attributes((int)m, 0, 0, o->c & ~(uint64_t)MS_REC_, 1));
	SYS1(close, m);
}

static void op_cgroup2(const struct op *o)
{
	long m = new_mount("cgroup2", "source=cgroup", 1, o->a);

	/* Not ours to mount without privileges; then the part that is ours. */
	if (m == -EPERM_ || m == -16 /* EBUSY */) {
		m = must("open control groups", SYS3(open_tree, AT_FDCWD, str(o->s1), OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC));
		must("set control groups' flags", set_attributes((int)m, o->a, 0, 0, 1));
	}
	must("mount control groups", m);
	attach((int)m, target(str(o->s2), 1, MOUNT_REAL));
	SYS1(close, m);
}

static void op_bind(const struct op *o)
{
	long t = o->fd;

	if (t < 0) {
		t = SYS3(open_tree, AT_FDCWD, str(o->s1), OPEN_TREE_CLONE | O_CLOEXEC | (o->n & BIND_RECURSIVE ? AT_RECURSIVE : 0));
		if (t == -ENOENT_ && (o->n & BIND_OPTIONAL))
			return;
		must("open source", t);
	}
	int to = place(str(o->s2), is_dir((int)t), 0755);
	must("set mount flags", set_attributes((int)t, o->a, o->b, 0, o->n & BIND_ALL));
	if (o->c)
		must("set propagation", set_attributes((int)t, 0, 0, o->c & ~(uint64_t)MS_REC_, (o->c & MS_REC_) != 0));
	attach((int)t, to);
	SYS1(close, to);
	SYS1(close, t);
}

static void op_symlink(const struct op *o)
{
	const char *name;
	int dir = parent_of(str(o->s2), &name);
	long err = SYS3(symlinkat, str(o->s1), dir, name);

	if (err != -EEXIST_)
		must("make link", err);
	SYS1(close, dir);
}

/* op_device makes a device node, or binds the host's where that is not
 * allowed or not wanted. */
static void op_device(const struct op *o)
{
	const char *name;
	int dir = parent_of(str(o->s1), &name);
	long err = -EPERM_;

	if (!(o->n & DEVICE_BIND))
		err = SYS4(mknodat, dir, name, o->a, o->b);
	if (err == -EPERM_) {
		long t = must("open device", SYS3(open_tree, AT_FDCWD, str(o->s2), OPEN_TREE_CLONE | O_CLOEXEC));

		must("set device's options", set_attributes((int)t, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, 0, 0));
		attach((int)t, place(str(o->s1), 0, 0));
	} else if (err != -EEXIST_) {
		must("make device", err);
		must("set device's owner", SYS(fchownat, dir, name, (uint32_t)(o->c >> 32), (uint32_t)o->c, AT_SYMLINK_NOFOLLOW));
	}
	SYS1(close, dir);
}

/* null opens the container's /dev/null, and nothing that poses as it. */
static int null_device(void)
{
	struct statx st;
	long fd = must("open /dev/null", in_root("dev/null", O_PATH | O_NOFOLLOW));

	must("check /dev/null", SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st));
	if ((st.stx_mode & S_FMT) != S_CHR || st.stx_rdev_major != 1 || st.stx_rdev_minor != 3)
		fail("check /dev/null", -ENODEV_);
	return (int)fd;
}

static void op_mask(const struct op *o)
{
	long t = in_root(str(o->s1), O_PATH), m;

	if (t == -ENOENT_ || t == -ENOTDIR_)
		return;
	must("open path to mask", t);
	if (is_dir((int)t)) {
		m = must("mount mask", new_mount("tmpfs", "source=tmpfs\0nr_blocks=1\0nr_inodes=1", 3, MOUNT_ATTR_RDONLY));
	} else {
		int null = null_device();

		m = must("clone /dev/null", SYS3(open_tree, null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | O_CLOEXEC));
		must("make mask read-only", set_attributes((int)m, MOUNT_ATTR_RDONLY, 0, 0, 0));
		SYS1(close, null);
	}
	attach((int)m, (int)t);
	SYS1(close, m);
	SYS1(close, t);
}

static void op_readonly(const struct op *o)
{
	long t = in_root(str(o->s1), O_PATH), m;

	if (t == -ENOENT_ || t == -ENOTDIR_)
		return;
	must("open read-only path", t);
	if (o->n & READONLY_MOUNT) {
		must("make read-only", set_attributes((int)t, MOUNT_ATTR_RDONLY, 0, 0, 0));
	} else {
		m = must("clone read-only path", SYS3(open_tree, t, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC));
		must("make read-only", set_attributes((int)m, MOUNT_ATTR_RDONLY, 0, 0, 1));
		attach((int)m, (int)t);
		SYS1(close, m);
	}
	SYS1(close, t);
}

static void op_pivot(void)
{
	long old = must("open old root", SYS3(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC));

	must("enter root", SYS1(fchdir, root));
	must("change root", SYS2(pivot_root, ".", "."));
	must("enter old root", SYS1(fchdir, old));
	/* Nothing of what goes away here goes away on the host. */
	must("part with old root", SYS(mount, 0, ".", 0, MS_SLAVE_ | MS_REC_, 0));
	must("leave old root", SYS2(umount2, ".", MNT_DETACH_));
	must("enter root", SYS2(chdir, "/", 0));
	SYS1(close, old);
}

/* ---------------------------------------------------------------- /proc */

static void op_proc(void)
{
	long m = new_mount("proc", "source=proc", 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

	if (m < 0) {
		struct statfs st;

		m = must("open /proc", SYS3(openat, AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
		must("check /proc", SYS2(fstatfs, m, &st));
		if (st.f_type != PROC_SUPER_MAGIC)
			fail("check /proc", -ENODEV_);
	}
	proc = (int)m;
}

/* write_proc writes a file below /proc, of this very mount. */
static long write_proc(const char *path, const char *value)
{
	long fd = open_in(proc, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV), err;

	if (fd < 0)
		return fd;
	err = SYS3(write, fd, value, len(value));
	SYS1(close, fd);
	return err;
}

static void op_label(const struct op *o)
{
	long err = write_proc(str(o->s1), str(o->s3));

	if (err == -ENOENT_ && o->s2)
		err = write_proc(str(o->s2), str(o->s3));
	must("set security label", err);
}

/* --------------------------------------------------------------- terminal */

static void op_console(const struct op *o)
{
	struct { uint16_t rows, columns, x, y; } size = { (uint16_t)o->b, (uint16_t)o->c, 0, 0 };
	struct statfs st;
	int zero = 0;
	long master = must("open ptmx", open_in(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS));

	must("check ptmx", SYS2(fstatfs, master, &st));
	if (st.f_type != DEVPTS_SUPER_MAGIC)
		fail("check ptmx", -ENODEV_);
	must("unlock terminal", SYS3(ioctl, master, TIOCSPTLCK, &zero));
	long slave = must("open terminal", SYS3(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (size.rows || size.columns)
		SYS3(ioctl, slave, TIOCSWINSZ, &size);
	SYS3(fchown, slave, o->a, -1);
	if (o->n & CONSOLE_BIND) {
		long t = must("clone terminal", SYS3(open_tree, slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | O_CLOEXEC));
		int to = place("dev/console", 0, 0);

		attach((int)t, to);
		SYS1(close, t);
		SYS1(close, to);
	}
	send_fd((int)master);
	SYS1(setsid, 0);
	must("take terminal", SYS3(ioctl, slave, TIOCSCTTY, 0));
	for (int fd = 0; fd < 3; fd++)
		must("set standard streams", SYS3(dup3, slave, fd, 0));
	SYS1(close, master);
	SYS1(close, slave);
}

/* op_streams lets the user open their standard streams anew by /dev/stdout. */
static void op_streams(const struct op *o)
{
	for (int fd = 0; fd < 3; fd++) {
		struct statx st;

		if (SYS(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
			continue;
		if ((st.stx_mode & S_FMT) == S_CHR && st.stx_rdev_major == 1 && st.stx_rdev_minor == 3)
			continue;
		if (st.stx_uid != o->a)
			SYS3(fchown, fd, o->a, -1); /* where it is not ours, it stays as it is */
	}
}

/* ------------------------------------------------------------ privileges */

static void op_keyring(const struct op *o)
{
	char text[256];
	long id = SYS2(keyctl, KEYCTL_JOIN, str(o->s1)), n;

	if (id == -ENOSYS_)
		return;
	must("join session keyring", id);
	/* The owner may search it: what the description's fourth field allows
	 * anyway, and view, read and search for the user. */
	n = SYS4(keyctl, KEYCTL_DESCRIBE, id, text, sizeof text - 1);
	if (n <= 0 || n >= (long)sizeof text)
		return;
	text[n] = 0;
	uint32_t perm = 0;
	int field = 0;
	for (char *p = text; *p && field < 4; p++) {
		if (*p == ';')
			field++;
		else if (field == 3)
			perm = perm << 4 | (uint32_t)(*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
	}
	SYS3(keyctl, KEYCTL_SETPERM, id, perm | 0x080000);
}

static void op_bounding(const struct op *o)
{
	for (int cap = 0; cap < 64; cap++) {
		if (o->a >> cap & 1)
			continue;
		long err = SYS2(prctl, PR_CAPBSET_DROP, cap);

		if (err == -EINVAL_)
			break; /* the kernel knows no more */
		must("drop capability", err);
	}
}

static void op_user(const struct op *o)
{
	/* From here on the rights are those of the container's own processes,
	 * but not what is still open; to execute the command undoes it. */
	must("hide from others", SYS(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
	must("keep capabilities", SYS(prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0));
	if (o->c & USER_GROUPS)
		must("set groups", SYS2(setgroups, o->n, str(o->s3)));
	must("set group", SYS3(setresgid, o->b, o->b, o->b));
	must("set user", SYS3(setresuid, o->a, o->a, o->a));
	must("keep capabilities", SYS(prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0));
}

static void op_capabilities(const struct op *o)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)o->a, (uint32_t)o->b, (uint32_t)o->c },
		{ (uint32_t)(o->a >> 32), (uint32_t)(o->b >> 32), (uint32_t)(o->c >> 32) },
	};
	uint64_t ambient = (uint64_t)o->s2 << 32 | o->s1;

	must("set capabilities", SYS2(capset, &header, data));
	SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; cap < 64; cap++)
		if (ambient >> cap & 1)
			must("raise capability", SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
}

static void op_seccomp(const struct op *o)
{
	struct sock_fprog filter = { .len = (unsigned short)o->n, .filter = (struct sock_filter *)str(o->s3) };

	must("load seccomp filter", SYS3(seccomp, SECCOMP_SET_MODE_FILTER, o->a, &filter));
}

/* ------------------------------------------------------------ the command */

/* op_chdir enters the working directory. Before the user is changed it may be
 * refused: another user's home is open to them alone, and the other way round. */
static void op_chdir(const struct op *o)
{
	char path[PATH_MAX_];
	long err;

	if (in_cwd)
		return;
	err = SYS1(chdir, str(o->s1));
	if ((err == -EACCES_ || err == -EPERM_) && (o->n & CHDIR_TRY))
		return;
	if (err < 0) {
		send(MSG_CHDIR, (int)-err, "enter working directory");
		quit(1);
	}
	/* A directory outside of the root has no absolute name. */
	must("check working directory", SYS2(getcwd, path, sizeof path));
	if (path[0] != '/')
		fail("check working directory", -ENOENT_);
	in_cwd = 1;
}

static long executable(const char *path)
{
	struct statx st;
	long err = SYS(statx, AT_FDCWD, path, 0, STATX_TYPE | STATX_MODE, &st);

	if (err < 0)
		return err;
	if ((st.stx_mode & S_FMT) == S_DIR)
		return -EISDIR_;
	err = SYS4(faccessat2, AT_FDCWD, path, X_OK_, AT_EACCESS);
	if (err == -ENOSYS_) /* a filter that doesn't know it */
		err = st.stx_mode & 0111 ? 0 : -EACCES_;
	return err;
}

/* find looks for a command as a shell would and puts its path into `command`. */
static long find(const char *name, const char *dirs)
{
	long err = -ENOENT_;
	size_t n = len(name), slash = 0;

	while (slash < n && name[slash] != '/')
		slash++;
	if (n == 0 || n >= PATH_MAX_)
		return err;
	if (slash < n) {
		memcpy(command, name, n + 1);
		return executable(command);
	}
	for (;;) {
		size_t d = 0;

		while (dirs[d] && dirs[d] != ':')
			d++;
		if (d + n + 3 <= PATH_MAX_) {
			memcpy(command, dirs, d);
			if (d == 0)
				command[d++] = '.', dirs--;
			command[d] = '/';
			memcpy(command + d + 1, name, n + 1);
			if (executable(command) == 0)
				return 0;
		}
		dirs += d;
		if (!*dirs++)
			return err;
	}
}

static void op_find(const struct op *o)
{
	long err = find(str(o->s1), str(o->s2));

	if (err == 0)
		return;
	send(MSG_COMMAND, (int)-err, "find command");
	quit(1);
}

static void op_start(const struct op *o)
{
	char c;
	long n;

	do
		n = SYS3(read, o->fd, &c, 1);
	while (n == -EINTR_);
	if (n != 1)
		quit(1);
}

/* default_signals: a signal that our caller ignored, as nohup and background
 * jobs of scripts do, isn't the command's to ignore. */
static void default_signals(void)
{
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } action = { 0, 0, 0, 0 };

	for (int signal = 1; signal <= 64; signal++)
		SYS4(rt_sigaction, signal, &action, 0, sizeof action.mask);
}

static void op_exec(const struct op *o)
{
	size_t count = o->n + o->a + 2;
	const char **argv = (const char **)sys6(__NR_mmap, 0, (long)(count * sizeof *argv), 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
	const char **env, *s = str(o->s3);

	if ((long)argv < 0 && (long)argv > -4096)
		fail("execute", (long)argv);
	for (size_t i = 0; i < o->n; i++, s += len(s) + 1)
		argv[i] = s;
	env = argv + o->n + 1;
	s = str(o->s1);
	for (size_t i = 0; i < o->a; i++, s += len(s) + 1)
		env[i] = s;
	default_signals();
	must("execute", SYS3(execve, command, argv, env));
}

static void op_fork(void)
{
	/* A sibling, so that it is the parent's child and not ours. */
	long pid = must("fork", SYS(clone, CLONE_PARENT | SIGCHLD_, 0, 0, 0, 0));

	if (pid != 0) {
		send(MSG_PID, (int)pid, "");
		quit(0);
	}
	await(); /* until the parent knows whom it hears */
}

static void op_become_root(void)
{
	SYS2(setgroups, 0, 0); /* not allowed where the parent denied it */
	must("become root", SYS3(setresgid, 0, 0, 0));
	must("become root", SYS3(setresuid, 0, 0, 0));
}

static void op_loopback(void)
{
	struct { char name[16]; short flags; char pad[22]; } request = { "lo", 1 /* IFF_UP */, "" };
	long fd = must("open socket", SYS3(socket, 2 /* AF_INET */, 2 /* SOCK_DGRAM */ | O_CLOEXEC, 0));

	must("set up loopback", SYS3(ioctl, fd, 0x8914 /* SIOCSIFFLAGS */, &request));
	SYS1(close, fd);
}

/* op_null replaces the host's /dev/null by the container's. */
static void op_null(void)
{
	for (int fd = 0; fd < 3; fd++) {
		struct statx st;

		if (SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
			continue;
		if ((st.stx_mode & S_FMT) != S_CHR || st.stx_rdev_major != 1 || st.stx_rdev_minor != 3)
			continue;
		SYS1(close, null_device());
		long null = must("open /dev/null", in_root("dev/null", O_RDWR | O_NOCTTY));
		must("set standard streams", SYS3(dup3, null, fd, 0));
		SYS1(close, null);
	}
}

static void carry_out(const struct op *o)
{
	switch (o->code) {
	case OP_SETNS: must("join namespace", SYS2(setns, o->fd, o->a)); break;
	case OP_UNSHARE: must("make namespaces", SYS1(unshare, o->a)); break;
	case OP_FORK: op_fork(); break;
	case OP_SYNC: send(MSG_SYNC, (int)o->a, ""); await(); break;
	case OP_BECOME_ROOT: op_become_root(); break;
	case OP_PROC: op_proc(); break;
	case OP_PROPAGATION: must("set propagation", SYS(mount, 0, str(o->s1), 0, o->a, 0)); break;
	case OP_ROOT: op_root(o); break;
	case OP_HERE: root = (int)must("open root", SYS3(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC)); break;
	case OP_MOUNT: op_mount(o); break;
	case OP_CGROUP2: op_cgroup2(o); break;
	case OP_BIND: op_bind(o); break;
	case OP_MKDIR: SYS1(close, place(str(o->s1), 1, (unsigned)o->a)); break;
	case OP_SYMLINK: op_symlink(o); break;
	case OP_DEVICE: op_device(o); break;
	case OP_MASK: op_mask(o); break;
	case OP_READONLY: op_readonly(o); break;
	case OP_PIVOT: op_pivot(); break;
	case OP_ROOT_FLAGS: must("set root's flags", set_attributes(root, o->a, 0, 0, 0)); break;
	case OP_HOSTNAME: must("set hostname", SYS2(sethostname, str(o->s1), len(str(o->s1)))); break;
	case OP_DOMAINNAME: must("set domain name", SYS2(setdomainname, str(o->s1), len(str(o->s1)))); break;
	case OP_SYSCTL: must("write sysctl", write_proc(str(o->s1), str(o->s2))); break;
	case OP_LABEL: op_label(o); break;
	case OP_CONSOLE: op_console(o); break;
	case OP_SETSID: SYS1(setsid, 0); break;
	case OP_STREAMS: op_streams(o); break;
	case OP_KEYRING: op_keyring(o); break;
	case OP_PERSONALITY: must("set personality", SYS1(personality, o->a)); break;
	case OP_BOUNDING: op_bounding(o); break;
	case OP_USER: op_user(o); break;
	case OP_CAPABILITIES: op_capabilities(o); break;
	case OP_NO_NEW_PRIVS: must("set no_new_privs", SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); break;
	case OP_SECCOMP: op_seccomp(o); break;
	case OP_UMASK: SYS1(umask, o->a); break;
	case OP_CHDIR: op_chdir(o); break;
	case OP_FIND: op_find(o); break;
	case OP_START: op_start(o); break;
	case OP_EXEC: op_exec(o); break;
	case OP_LOOPBACK: op_loopback(); break;
	case OP_NULL: op_null(); break;
	default: fail("unknown operation", -EINVAL_);
	}
}

/* pause is the first process of a pod: it holds the pod's namespaces, collects
 * the orphans of containers that share its process numbers, and ends when it
 * is asked to. A first process is sent only the signals that it handles or
 * blocks, so it blocks all and takes them one by one. */
static void __attribute__((noreturn)) pause(void)
{
	enum { SIG_SETMASK_ = 2, SIGINT_ = 2, SIGQUIT_ = 3, SIGTERM_ = 15, WNOHANG_ = 1 };
	uint64_t all = ~(uint64_t)0;

	SYS4(rt_sigprocmask, SIG_SETMASK_, &all, 0, sizeof(all));
	for (;;) {
		long signal = SYS4(rt_sigtimedwait, &all, 0, 0, sizeof(all));

		if (signal == SIGTERM_ || signal == SIGINT_ || signal == SIGQUIT_)
			quit(0);
		while (SYS4(wait4, -1, 0, WNOHANG_, 0) > 0)
			;
	}
}

/* say writes to the standard error stream. */
static void say(const char *text) { SYS3(write, 2, text, len(text)); }

/* execute runs the command of init in a process group of its own, which gets
 * the terminal: keys that send signals reach the command once, and directly. */
static void __attribute__((noreturn)) execute(char **argv, char **env, uint64_t mask)
{
	enum { SIG_SETMASK_ = 2 };
	const char *dirs = "";
	long group, err;

	SYS2(setpgid, 0, 0);
	group = SYS1(getpid, 0);
	SYS3(ioctl, 0, TIOCSPGRP, &group);
	SYS4(rt_sigprocmask, SIG_SETMASK_, &mask, 0, sizeof(mask));
	for (char **e = env; *e; e++) {
		const char *kv = *e;

		if (kv[0] == 'P' && kv[1] == 'A' && kv[2] == 'T' && kv[3] == 'H' && kv[4] == '=')
			dirs = kv + 5;
	}
	err = find(argv[0], dirs);
	if (err == 0)
		err = SYS3(execve, command, argv, env);
	say("podman-init: execute \"");
	say(argv[0]);
	say(err == -ENOENT_ ? "\": no such file or directory\n" : err == -EACCES_ || err == -EISDIR_ ? "\": permission denied\n" : "\": not executable\n");
	quit(err == -ENOENT_ ? 127 : 126);
}

/* init is the first process of a container that asks for one: it starts the
 * command, passes signals on to it, collects orphans, and ends as it ends. */
static void __attribute__((noreturn)) init(char **argv, char **env)
{
	enum { SIG_SETMASK_ = 2, SIGTTIN_ = 21, SIGTTOU_ = 22, WNOHANG_ = 1 };
	uint64_t all = ~(uint64_t)0, before = 0;
	long child, pid;
	int status;

	SYS4(rt_sigprocmask, SIG_SETMASK_, &all, &before, sizeof(all));
	child = SYS(clone, SIGCHLD_, 0, 0, 0, 0);
	if (child == 0)
		execute(argv, env, before);
	if (child < 0) {
		say("podman-init: no process for the command\n");
		quit(126);
	}
	for (;;) {
		long signal = SYS4(rt_sigtimedwait, &all, 0, 0, sizeof(all));

		if (signal > 0 && signal != SIGCHLD_ && signal != SIGTTIN_ && signal != SIGTTOU_)
			SYS2(kill, child, signal);
		while ((pid = SYS4(wait4, -1, &status, WNOHANG_, 0)) > 0)
			if (pid == child)
				quit(status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	}
}

/* run is the program. As a file that a container's configuration names it is
 * init, with "--" and a command, or else pause; the runtime starts it from
 * memory. It has as many arguments as descriptors for the command
 * beyond the standard streams; behind those come the socket and the list. */
void __attribute__((noreturn)) run(const long *stack)
{
	struct statx st;
	char **argv = (char **)(stack + 1);
	int list = (int)stack[0] + 3;

	if (stack[0] > 0 && argv[0][0] == '/') {
		if (stack[0] > 2 && argv[1][0] == '-' && argv[1][1] == '-' && !argv[1][2])
			init(argv + 2, argv + stack[0] + 1);
		pause();
	}
	sock = (int)stack[0] + 2;
	if (SYS(statx, list, "", AT_EMPTY_PATH, STATX_SIZE, &st) < 0)
		quit(1);
	long at = sys6(__NR_mmap, 0, (long)st.stx_size, 1 /* read */, 2 /* private */, list, 0);
	if (at < 0 && at > -4096)
		quit(1);
	program = (const struct program *)at;
	SYS1(umask, 0);
	must("mark descriptors", SYS3(close_range, sock, ~0u, CLOSE_RANGE_CLOEXEC_));
	for (uint32_t i = 0; i < program->count; i++) {
		current = &program->ops[i];
		carry_out(current);
	}
	quit(1);
}
