#ifndef USERNS_JOIN_H
#define USERNS_JOIN_H

/* What the constructor did: 0 nothing, 1 joined, 2 stuck halfway. */
extern int userns_state;
extern int userns_errno;      /* of the step that failed, or 0 */
extern unsigned userns_uid;   /* effective IDs before joining */
extern unsigned userns_gid;

/* userns_pause_pid returns the pid of the live pause process that the file at
 * path names, or 0 when there is none that may be joined. */
int userns_pause_pid(const char *path);

#endif
