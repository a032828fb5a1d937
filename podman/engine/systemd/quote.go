package systemd

import (
	"fmt"
	"strings"
)

// Quote makes a word of a command line that systemd reads as the text it is:
// no specifier, no variable, no escape and no end of the word in it.
func Quote(word string) string {
	return quote(strings.ReplaceAll(word, "$", "$$"))
}

// QuoteAll quotes each word.
func QuoteAll(words []string) []string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = Quote(word)
	}
	return all
}

// QuoteEnv does so for a word of Environment=, where variables mean nothing.
func QuoteEnv(kv string) string { return quote(kv) }

func quote(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	plain := func(r rune) bool { return r > ' ' && r != 0x7f && !strings.ContainsRune(`"'\`, r) }
	// A semicolon alone would begin another command.
	if word != "" && word != ";" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(word) {
		switch c := word[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// IsUnitName says whether the text can be in the name of a unit.
func IsUnitName(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alnum && !strings.ContainsRune(`:-_.\@`, r)
	})
}
