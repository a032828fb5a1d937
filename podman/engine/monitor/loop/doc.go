// Package loop is the monitor's one loop: it moves a container's output to
// its log and to whoever is attached, their input to the container, records
// the exit and sees to the clean-up. One of it stays in memory for each
// container, so it imports the standard library's small packages and x/sys alone.
package loop
