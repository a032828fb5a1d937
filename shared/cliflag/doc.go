// Package cliflag holds the groups of options that several commands of the
// three programs share. A group is a struct: one of its methods declares the
// options, another checks what was given and turns it into the options of the
// package that does the work. Names, defaults and the order of checks are
// those people know; where the programs differ, there is a method for each
// way and one struct behind them.
//
// It imports registry, auth, login, imgcopy and cliout for what it makes, and
// pflag; nothing of cobra.
package cliflag
