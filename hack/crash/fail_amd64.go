package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// skipCall makes the system call that pid is about to make none.
func skipCall(pid int) error {
	var regs unix.PtraceRegsAmd64
	if err := unix.PtraceGetRegsAmd64(pid, &regs); err != nil {
		return err
	}
	regs.Orig_rax = ^uint64(0)
	return unix.PtraceSetRegsAmd64(pid, &regs)
}

// endCall makes the system call that pid has skipped return the error.
func endCall(pid int, errno syscall.Errno) error {
	var regs unix.PtraceRegsAmd64
	if err := unix.PtraceGetRegsAmd64(pid, &regs); err != nil {
		return err
	}
	regs.Rax = -uint64(errno)
	return unix.PtraceSetRegsAmd64(pid, &regs)
}
