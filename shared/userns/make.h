#ifndef USERNS_MAKE_H
#define USERNS_MAKE_H

/* userns_child forks a child that joins the user namespace, unless it is -1,
 * and makes the namespaces that the flags say, its loopback up. It writes an
 * errno, or 0, to the socket and ends once something can be read from it. It
 * returns the child's pid, or a negative errno. */
int userns_child(int user, int flags, int sock);

#endif
