// Package pod keeps the records of pods: a file each below the store, named
// after the pod, so that a name is taken or free in one step. Which containers
// a pod has is written with the containers. It imports the standard library,
// shared/errdef and runtime-spec only.
package pod
