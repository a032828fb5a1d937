package dockerfile

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// flagSet holds an instruction's --name=value options; the value of a switch
// without one is "true".
type flagSet map[string][]string

func (f flagSet) value(name string) string {
	if values := f[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// bool reads a switch: given without a value it is true.
func (f flagSet) bool(name string) (value, ok bool) {
	switch strings.ToLower(f.value(name)) {
	case "", "false":
		return false, true
	case "true":
		return true, true
	}
	return false, false
}

// flags reads the node's options and refuses those not among known.
func (p *fileParser) flags(node *parser.Node, known ...string) (flagSet, error) {
	flags := flagSet{}
	for _, flag := range node.Flags {
		name, value, hasValue := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		if name == "" {
			continue
		}
		if !slices.Contains(known, name) {
			return nil, p.unsupported(node, "%s does not take the option --%s", strings.ToUpper(node.Value), name)
		}
		if !hasValue {
			value = "true"
		}
		flags[name] = append(flags[name], value)
	}
	return flags, nil
}
