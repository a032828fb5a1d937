package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Variables looks up what $name stands for.
type Variables interface {
	Get(name string) (value string, ok bool)
	Keys() []string
}

// Vars is a set of variables; the order of Keys is not defined.
type Vars map[string]string

// Get returns the value of name.
func (v Vars) Get(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}

// Keys returns the names.
func (v Vars) Keys() []string {
	keys := make([]string, 0, len(v))
	for key := range v {
		keys = append(keys, key)
	}
	return keys
}

// Expander replaces variables and removes quotes as the file's escape
// character tells. The zero value uses a backslash.
type Expander struct{ Escape rune }

func (e Expander) lex() *shell.Lex {
	if e.Escape == 0 {
		e.Escape = '\\'
	}
	return shell.NewLex(e.Escape)
}

// Word expands one word, which stays one whatever is in it. Unset variables
// are empty.
func (e Expander) Word(word string, vars Variables) (string, error) {
	expanded, _, err := e.lex().ProcessWord(word, vars)
	return expanded, err
}

// Words expands a word that may become none or several.
func (e Expander) Words(word string, vars Variables) ([]string, error) {
	return e.lex().ProcessWords(word, vars)
}

// All expands each word by itself.
func (e Expander) All(words []string, vars Variables) ([]string, error) {
	expanded := make([]string, len(words))
	for i, word := range words {
		var err error
		if expanded[i], err = e.Word(word, vars); err != nil {
			return nil, err
		}
	}
	return expanded, nil
}

// Heredoc expands the text of a here-document, in which quotes are plain
// characters.
func (e Expander) Heredoc(doc Heredoc, vars Variables) (string, error) {
	if !doc.Expand {
		return doc.Content, nil
	}
	lex := e.lex()
	lex.SkipProcessQuotes = true
	text, _, err := lex.ProcessWord(doc.Content, vars)
	return text, err
}
