// Package cliout is what the programs print: tables and Go templates, JSON,
// sizes and ages for people, progress of copies, help texts, errors and the
// exit status that goes with them.
//
// Every process start pays for this package, so it keeps no package-level maps
// or regular expressions, and a default table is printed without parsing a
// template. It imports shared/errdef, cobra, x/sys and the standard library.
package cliout
