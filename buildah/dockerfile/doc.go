// Package dockerfile turns the text of a Containerfile into typed steps and a
// graph of stages. It is pure: it reads no file, knows no image and starts
// nothing. Everything that can be said from the text alone is checked here,
// before a build has done any work.
//
// It is the only package that imports buildkit (its parser and its shell word
// lexer), and it may import shared/errdef.
package dockerfile
