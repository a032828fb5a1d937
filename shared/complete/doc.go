// Package complete says what the shell offers at the Tab key. What can stand
// for a word is declared once per kind (IMAGE, CONTAINER, …) and once per
// option name, not per command: a command's usage line tells which word
// belongs where. The declarations are attached only when the shell asks, so
// that no other call of the program pays for them.
//
// It imports cobra, auth, config, ref and registry.
package complete
