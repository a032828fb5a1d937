/* The operations of the init program and its messages; ops.go has the same. */
#ifndef OPS_H
#define OPS_H

#include <stdint.h>

enum {
	OP_SETNS = 1,    /* fd; a: type */
	OP_UNSHARE,      /* a: flags */
	OP_FORK,         /* go on in a new process, a child of the parent */
	OP_SYNC,         /* a: number; tell the parent, wait for it */
	OP_BECOME_ROOT,  /* of a new user namespace */
	OP_PROC,         /* open a /proc for later operations */
	OP_PROPAGATION,  /* s1: host path; a: MS_ flags */
	OP_ROOT,         /* s1: host path of the root file system, or fd: tree */
	OP_HERE,         /* the root is this process's own */
	OP_MOUNT,        /* s1: type, s2: target, s3, n: options; a: attributes, b: MOUNT_, c: propagation */
	OP_CGROUP2,      /* s1: host path to bind instead, s2: target; a: attributes */
	OP_BIND,         /* s1: host path or fd: tree, s2: target; a: set, b: clear, c: propagation; n: BIND_ */
	OP_MKDIR,        /* s1: path; a: mode */
	OP_SYMLINK,      /* s1: text, s2: path */
	OP_DEVICE,       /* s1: path, s2: host path; a: mode, b: number, c: owner<<32|group; n: DEVICE_ */
	OP_MASK,         /* s1: path */
	OP_READONLY,     /* s1: path; n: READONLY_ */
	OP_PIVOT,        /* the root becomes / */
	OP_ROOT_FLAGS,   /* a: attributes */
	OP_HOSTNAME,     /* s1 */
	OP_DOMAINNAME,   /* s1 */
	OP_SYSCTL,       /* s1: path below /proc, s2: value */
	OP_LABEL,        /* s1: path below /proc, s2: another or none, s3: value */
	OP_CONSOLE,      /* a: owner, b: rows, c: columns; n: CONSOLE_ */
	OP_SETSID,
	OP_STREAMS,      /* a: owner */
	OP_KEYRING,      /* s1: name */
	OP_PERSONALITY,  /* a */
	OP_BOUNDING,     /* a: set to keep */
	OP_USER,         /* a: user, b: group, s3, n: groups; c: USER_ */
	OP_CAPABILITIES, /* a: effective, b: permitted, c: inheritable, s2<<32|s1: ambient */
	OP_NO_NEW_PRIVS,
	OP_SECCOMP,      /* s3, n: instructions; a: flags */
	OP_UMASK,        /* a */
	OP_CHDIR,        /* s1: path; n: CHDIR_ */
	OP_FIND,         /* s1: command, s2: search path */
	OP_START,        /* fd: fifo to read a byte from */
	OP_EXEC,         /* s3, n: arguments, s1, a: environment */
	OP_LOOPBACK,     /* of a new network namespace */
	OP_NULL,         /* standard streams: the container's /dev/null for the host's */
};

enum { MOUNT_REAL = 1 };
enum { BIND_RECURSIVE = 1, BIND_ALL = 2, BIND_OPTIONAL = 4 };
enum { READONLY_MOUNT = 1 };
enum { DEVICE_BIND = 1 };
enum { CONSOLE_BIND = 1 };
enum { USER_GROUPS = 1 };
enum { CHDIR_TRY = 1 };

struct op {
	uint32_t code;
	int32_t fd;
	uint64_t a, b, c;
	uint32_t s1, s2, s3, n; /* offsets into the strings; 0 is the empty one */
};

struct program {
	uint32_t count;
	uint32_t strings; /* offset of the strings */
	struct op ops[];
};

enum { MSG_PID = 1, MSG_SYNC, MSG_CONSOLE, MSG_ERROR, MSG_CHDIR, MSG_COMMAND };

struct message {
	uint32_t kind;
	int32_t value;
	uint32_t op;
	char step[52];
};

#endif
