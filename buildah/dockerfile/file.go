package dockerfile

import "fmt"

// File is a parsed Containerfile.
type File struct {
	Name   string // as it shows in messages
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
	Line     int    // first line, from 1
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
	Step string // text of the step
	Err  error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("building at STEP \"%s\": %v", e.Step, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }
