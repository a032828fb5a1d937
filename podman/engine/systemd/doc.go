// Package systemd writes unit files: what a service is made of, in the
// syntax of systemd.unit(5) and systemd.service(5), and the command lines in
// them. It knows no containers. It imports the standard library alone.
package systemd
