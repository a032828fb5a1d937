package fscopy

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Chmod changes a mode as chmod(1) does.
type Chmod func(mode uint32, dir bool) uint32

// ParseChmod reads an octal mode or clauses such as "u+x,go=rX".
func ParseChmod(text string) (Chmod, error) {
	if mode, err := strconv.ParseUint(text, 8, 32); err == nil && mode <= 0o7777 {
		return func(uint32, bool) uint32 { return uint32(mode) }, nil
	}
	var steps []Chmod
	for _, clause := range strings.Split(text, ",") {
		who := strings.TrimLeft(clause, "ugoa")
		users := clause[:len(clause)-len(who)]
		if who == "" {
			return nil, badChmod(text)
		}
		for who != "" {
			op := who[0]
			end := strings.IndexAny(who[1:], "+-=") + 1
			if end == 0 {
				end = len(who)
			}
			if !strings.ContainsRune("+-=", rune(op)) || strings.Trim(who[1:end], "rwxXstugo") != "" {
				return nil, badChmod(text)
			}
			steps = append(steps, chmodStep(users, op, who[1:end]))
			who = who[end:]
		}
	}
	return func(mode uint32, dir bool) uint32 {
		for _, step := range steps {
			mode = step(mode, dir)
		}
		return mode
	}, nil
}

func badChmod(text string) error {
	return errdef.Newf(errdef.ErrInvalid, "parsing chmod %s: it must be an octal number or clauses such as u+x,go=r", text)
}

// chmodStep is one operation; for nobody it is for all.
func chmodStep(users string, op byte, perms string) Chmod {
	if users == "" || strings.Contains(users, "a") {
		users = "ugo"
	}
	return func(mode uint32, dir bool) uint32 {
		var set, all uint32
		for _, user := range users {
			shift := map[rune]uint{'u': 6, 'g': 3, 'o': 0}[user]
			all |= 7 << shift
			set |= permBits(perms, mode, dir) << shift
			special := map[rune]uint32{'u': unix.S_ISUID, 'g': unix.S_ISGID}[user]
			if all |= special; strings.Contains(perms, "s") {
				set |= special
			}
		}
		if strings.Contains(perms, "t") {
			set |= unix.S_ISVTX
		}
		switch op {
		case '+':
			return mode | set
		case '-':
			return mode &^ set
		}
		if dir {
			all &^= unix.S_ISUID | unix.S_ISGID // "=" leaves those of directories
		}
		return mode&^all | set
	}
}

// permBits are the three bits that letters stand for, or another one's.
func permBits(perms string, mode uint32, dir bool) uint32 {
	var bits uint32
	for _, p := range perms {
		switch p {
		case 'r':
			bits |= 4
		case 'w':
			bits |= 2
		case 'x':
			bits |= 1
		case 'X':
			if dir || mode&0o111 != 0 {
				bits |= 1
			}
		case 'u':
			bits |= mode >> 6 & 7
		case 'g':
			bits |= mode >> 3 & 7
		case 'o':
			bits |= mode & 7
		}
	}
	return bits
}
