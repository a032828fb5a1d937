package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/podsuite/podsuite/shared/errdef"
)

// MaxSize is the size of the largest Containerfile that Parse takes, in bytes.
const MaxSize = 16 << 20

// Parse reads the text of the Containerfile called name. Errors are of class
// errdef.ErrInvalid, or errdef.ErrUnsupported for what the builder refuses.
func Parse(name string, text []byte) (*File, error) {
	if len(text) > MaxSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing main Dockerfile: %s: larger than %d bytes", name, MaxSize)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "no contents in %q", name)
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		first, last := located(err)
		return nil, errdef.As(errdef.ErrInvalid, &lineError{fmt.Errorf("parsing main Dockerfile: %s: %w", name, plainError(err)), first, last})
	}
	p := &fileParser{file: &File{Name: name, Text: text, Escape: result.EscapeToken}}
	for _, node := range result.AST.Children {
		if err := p.add(node); err != nil {
			return nil, classed(err)
		}
	}
	if len(p.file.Stages) == 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "determining starting point for build: no FROM statement found")
	}
	return p.file, nil
}

// ParseTrigger reads one instruction that an image keeps for builds on top of
// it (ONBUILD).
func ParseTrigger(text string) (Step, error) {
	result, err := parser.Parse(strings.NewReader(text + "\n"))
	if err != nil {
		return Step{}, errdef.As(errdef.ErrInvalid, fmt.Errorf("parse ONBUILD instruction %q: %w", text, plainError(err)))
	}
	if len(result.AST.Children) != 1 {
		return Step{}, errdef.Newf(errdef.ErrInvalid, "parse ONBUILD instruction %q: must be one instruction", text)
	}
	p := &fileParser{file: &File{Name: "ONBUILD", Escape: result.EscapeToken}}
	step, err := p.step(result.AST.Children[0])
	step.Line, step.Last = 0, 0
	var failed *StepError
	if errors.As(err, &failed) {
		failed.First, failed.Last = 0, 0
	}
	return step, classed(err)
}

// located are the lines that the parser's error is about.
func located(err error) (first, last int) {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
		return at.Locations[0][0].Start.Line, at.Locations[0][len(at.Locations[0])-1].End.Line
	}
	return 0, 0
}

// plainError drops the parser's stack and position wrappers.
func plainError(err error) error {
	var located *parser.LocationError
	if errors.As(err, &located) {
		err = located.Unwrap()
	}
	if strings.HasSuffix(err.Error(), "unterminated heredoc") {
		return errors.New("EOF: unterminated heredoc")
	}
	return errors.New(err.Error())
}

// classed makes err invalid input unless it says what it is.
func classed(err error) error {
	if err == nil || errors.Is(err, errdef.ErrUnsupported) {
		return err
	}
	return errdef.As(errdef.ErrInvalid, err)
}

type fileParser struct{ file *File }

func (p *fileParser) add(node *parser.Node) error {
	keyword := strings.ToLower(node.Value)
	if keyword == "from" {
		return p.from(node)
	}
	if len(p.file.Stages) == 0 {
		if keyword != "arg" {
			return fmt.Errorf("reading multiple stages: stage 1 requires a FROM instruction (%q)", "")
		}
		step, err := p.step(node)
		if err != nil {
			return err
		}
		p.file.Args = append(p.file.Args, step.Inst.(*Arg))
		return nil
	}
	step, err := p.step(node)
	if err != nil {
		return err
	}
	stage := p.file.Stages[len(p.file.Stages)-1]
	stage.Steps = append(stage.Steps, step)
	return nil
}

func (p *fileParser) from(node *parser.Node) error {
	words := list(node.Next)
	flags, err := p.flags(node, "platform")
	if err != nil {
		return err
	}
	stage := &Stage{Index: len(p.file.Stages), Platform: flags.value("platform"), Line: node.StartLine}
	switch {
	case len(words) == 0:
		return errors.New("reading multiple stages: FROM requires an argument")
	case len(words) == 1:
	case len(words) == 3 && strings.EqualFold(words[1], "as"):
		if !validStageName(words[2]) {
			return p.at(node, "invalid name for build stage: %q, name can't start with a number or contain symbols", words[2])
		}
		stage.Name = words[2]
	default:
		return p.at(node, "FROM requires either one or three arguments: FROM <source> [AS <name>]")
	}
	stage.Base = words[0]
	p.file.Stages = append(p.file.Stages, stage)
	return nil
}

func validStageName(name string) bool {
	for i, r := range strings.ToLower(name) {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))) {
			return false
		}
	}
	return name != ""
}

// at is an error of the node that names the file and the line.
func (p *fileParser) at(node *parser.Node, format string, args ...any) error {
	return &lineError{fmt.Errorf("%s:%d: %w", p.file.Name, node.StartLine, fmt.Errorf(format, args...)), node.StartLine, node.EndLine}
}

// unsupported is an error of the node about something the builder refuses.
func (p *fileParser) unsupported(node *parser.Node, format string, args ...any) error {
	return errdef.As(errdef.ErrUnsupported, p.at(node, format, args...))
}

// list is the chain of values that starts at node.
func list(node *parser.Node) []string {
	var values []string
	for ; node != nil; node = node.Next {
		if node.Value == "" && node.Next == nil && len(values) == 0 {
			break
		}
		values = append(values, node.Value)
	}
	return values
}
