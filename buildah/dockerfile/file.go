package dockerfile

import (
	"errors"
	"fmt"
	"strings"
)

// File is a parsed Containerfile.
type File struct {
	Name   string // as it shows in messages
	Text   []byte
	Escape rune   // the escape character, '\\' unless a directive changes it
	Args   []*Arg // ARG instructions before the first FROM
	Stages []*Stage
}

// Stage is one FROM instruction and the steps up to the next one.
type Stage struct {
	Index    int    // from 0, in the order of the file
	Name     string // of "AS name", as written; empty without one
	Base     string // what FROM names, not expanded
	Platform string // of FROM --platform, not expanded
	Line     int    // of FROM, from 1
	Steps    []Step
}

// Step is an instruction and where it stands.
type Step struct {
	Line     int    // first line, from 1; 0 = it is not in the file
	Last     int    // last line
	Original string // the instruction as written, continuation lines joined
	Inst     Instruction
}

// Text is the step as progress lines show it: here-documents are cut short.
func (s *Step) Text() string {
	text := s.Original
	for _, doc := range s.Heredocs() {
		text += " (" + doc.summary() + ")"
	}
	return text
}

// Heredocs are the step's here-documents, in the order of the text.
func (s *Step) Heredocs() []Heredoc {
	switch inst := s.Inst.(type) {
	case *Copy:
		return inst.Heredocs
	case *Run:
		return inst.Heredocs
	}
	return nil
}

// StepError says which step failed and why.
type StepError struct {
	Step        string // text of the step
	First, Last int    // its lines, from 1; 0 = it is not in the file
	Err         error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("building at STEP \"%s\": %v", e.Step, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// lineError is an error about lines of the file.
type lineError struct {
	error
	first, last int
}

func (e *lineError) Unwrap() error { return e.error }

// Lines are the lines of the Containerfile that an error is about, from 1; 0
// where it is about none.
func Lines(err error) (first, last int) {
	var step *StepError
	if errors.As(err, &step) {
		return step.First, max(step.First, step.Last)
	}
	var line *lineError
	if errors.As(err, &line) {
		return line.first, max(line.first, line.last)
	}
	return 0, 0
}

// around is how many lines an excerpt shows before and after.
const around = 2

// Excerpt shows lines of a Containerfile's text with those around them.
func Excerpt(b *strings.Builder, text []byte, first, last int) {
	const rule = "--------------------\n"
	b.WriteString(rule)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") // reading added a line's end
	for n := max(1, first-around); n <= min(len(lines), last+around); n++ {
		mark := "   "
		if n >= first && n <= last {
			mark = ">>>"
		}
		fmt.Fprintf(b, "%4d | %s %s\n", n, mark, lines[n-1])
	}
	b.WriteString(rule)
}
