package dockerfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// step makes the typed step of a node.
func (p *fileParser) step(node *parser.Node) (Step, error) {
	step := Step{Line: node.StartLine, Last: node.EndLine, Original: node.Original}
	inst, err := p.instruction(node)
	if err != nil {
		return step, err
	}
	step.Inst = inst
	return step, nil
}

func (p *fileParser) instruction(node *parser.Node) (Instruction, error) {
	switch strings.ToLower(node.Value) {
	case "run":
		return p.run(node)
	case "copy":
		return p.copy(node, false)
	case "add":
		return p.copy(node, true)
	case "healthcheck":
		return p.healthcheck(node)
	}
	if _, err := p.flags(node); err != nil {
		return nil, err
	}
	words := list(node.Next)
	switch strings.ToLower(node.Value) {
	case "env":
		pairs, err := p.pairs(node)
		return &Env{pairs}, err
	case "label":
		pairs, err := p.pairs(node)
		return &Label{pairs}, err
	case "arg":
		return p.arg(node)
	case "cmd":
		return &Cmd{command(node)}, nil
	case "entrypoint":
		return &Entrypoint{command(node)}, nil
	case "expose":
		return &Expose{words}, p.atLeastOne(node, words)
	case "volume":
		return &Volume{words}, p.atLeastOne(node, words)
	case "onbuild":
		return p.onBuild(node)
	case "shell":
		if !node.Attributes["json"] || len(words) == 0 {
			return nil, stepError(node, "SHELL requires the arguments to be in JSON form")
		}
		return &Shell{words}, nil
	}
	return p.single(node, words)
}

// single handles the instructions that take exactly one argument.
func (p *fileParser) single(node *parser.Node, words []string) (Instruction, error) {
	keyword := strings.ToUpper(node.Value)
	switch keyword {
	case "USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER":
		if len(words) != 1 {
			return nil, stepError(node, keyword+" requires exactly one argument")
		}
	}
	switch keyword {
	case "USER":
		return &User{words[0]}, nil
	case "WORKDIR":
		return &Workdir{words[0]}, nil
	case "STOPSIGNAL":
		return &StopSignal{words[0]}, nil
	case "MAINTAINER":
		return &Maintainer{words[0]}, nil
	}
	return nil, &StepError{keyword + " ", node.StartLine, node.EndLine, fmt.Errorf("Build error: Unknown instruction: %q", keyword)}
}

func (p *fileParser) atLeastOne(node *parser.Node, words []string) error {
	if len(words) == 0 {
		return stepError(node, strings.ToUpper(node.Value)+" requires at least one argument")
	}
	return nil
}

// stepError shows the step as keyword and rest, the rest empty without arguments.
func stepError(node *parser.Node, text string) error {
	original := strings.TrimSpace(node.Original)
	keyword, rest, _ := strings.Cut(original, " ")
	return &StepError{strings.ToUpper(keyword) + " " + rest, node.StartLine, node.EndLine, errors.New(text)}
}

func (p *fileParser) pairs(node *parser.Node) ([]Pair, error) {
	var pairs []Pair
	for n := node.Next; n != nil; n = n.Next.Next.Next {
		if n.Next == nil || n.Next.Next == nil {
			break
		}
		if n.Value == "" {
			return nil, stepError(node, strings.ToUpper(node.Value)+" names can not be blank")
		}
		pairs = append(pairs, Pair{n.Value, n.Next.Value})
	}
	if len(pairs) == 0 {
		return nil, stepError(node, strings.ToUpper(node.Value)+" requires at least one argument")
	}
	return pairs, nil
}

func (p *fileParser) arg(node *parser.Node) (Instruction, error) {
	words := list(node.Next)
	if len(words) == 0 {
		return nil, stepError(node, "ARG requires at least one argument")
	}
	arg := &Arg{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if name == "" {
			return nil, stepError(node, "ARG names can not be blank")
		}
		v := ArgValue{Name: name}
		if ok {
			v.Default = &value
		}
		arg.Values = append(arg.Values, v)
	}
	return arg, nil
}

func command(node *parser.Node) Command {
	words := list(node.Next)
	return Command{Args: words, Shell: !node.Attributes["json"] && len(words) > 0}
}

func (p *fileParser) onBuild(node *parser.Node) (Instruction, error) {
	if node.Next == nil || len(node.Next.Children) == 0 {
		return nil, stepError(node, "ONBUILD requires at least one argument")
	}
	child := node.Next.Children[0]
	switch keyword := strings.ToUpper(child.Value); keyword {
	case "FROM", "MAINTAINER", "ONBUILD":
		step := "ONBUILD " + strings.ToLower(child.Value) + " " + strings.Join(list(child.Next), " ")
		if keyword == "ONBUILD" {
			return nil, &StepError{step, node.StartLine, node.EndLine, errors.New("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")}
		}
		return nil, &StepError{step, node.StartLine, node.EndLine, fmt.Errorf("%s isn't allowed as an ONBUILD trigger", keyword)}
	}
	child.StartLine = node.StartLine
	child.Heredocs = node.Heredocs
	if _, err := p.instruction(child); err != nil {
		return nil, err
	}
	text := child.Original
	for _, doc := range node.Heredocs {
		text += "\n" + doc.Content + doc.Name
	}
	return &OnBuild{text}, nil
}

func (p *fileParser) healthcheck(node *parser.Node) (Instruction, error) {
	if node.Next == nil {
		return nil, stepError(node, "HEALTHCHECK requires at least one argument")
	}
	kind := strings.ToUpper(node.Next.Value)
	check := &Healthcheck{}
	args := list(node.Next.Next)
	switch {
	case kind == "NONE":
		if len(args) > 0 {
			return nil, stepError(node, "HEALTHCHECK NONE takes no arguments")
		}
		check.None = true
		return check, nil
	case kind != "CMD":
		return nil, stepError(node, fmt.Sprintf("Unknown type %q in HEALTHCHECK (try CMD)", kind))
	case len(args) == 0:
		return nil, stepError(node, "Missing command after HEALTHCHECK CMD")
	}
	check.Command = Command{Args: args, Shell: !node.Attributes["json"]}
	flags, err := p.flags(node, "interval", "timeout", "start-period", "start-interval", "retries")
	if err != nil {
		return nil, err
	}
	durations := []struct {
		name string
		to   *time.Duration
	}{
		{"interval", &check.Interval}, {"timeout", &check.Timeout},
		{"start-period", &check.StartPeriod}, {"start-interval", &check.StartInterval},
	}
	for _, d := range durations {
		if *d.to, err = duration(d.name, flags.value(d.name)); err != nil {
			return nil, stepError(node, err.Error())
		}
	}
	if retries := flags.value("retries"); retries != "" {
		check.Retries, err = strconv.Atoi(retries)
		if err != nil || check.Retries < 0 {
			return nil, stepError(node, fmt.Sprintf("--retries must be a number of at least 0, not %q", retries))
		}
	}
	return check, nil
}

func duration(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("--%s: %v", name, err)
	}
	if d != 0 && d < time.Millisecond {
		return 0, fmt.Errorf("--%s must not be less than 1ms", name)
	}
	return d, nil
}
