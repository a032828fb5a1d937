package dockerfile

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/podsuite/podsuite/shared/errdef"
)

// experimental are the rules that count only where a file asks for them.
func experimental(rule string) bool {
	return rule == "CopyIgnoredFile" || rule == "InvalidDefinitionDescription"
}

// CheckArg is the argument that stands for a file's own check directive.
const CheckArg = "BUILDKIT_DOCKERFILE_CHECK"

// checkRules is what a file says of the rules that it is checked by.
type checkRules struct {
	skip, experimental []string // in small letters
	fatal              bool
}

// rulesOf reads the directive "# check=skip=RULE,…;error=true" at the top of a
// file, in place of which an argument of the build may stand.
func rulesOf(text []byte, args map[string]string) (r checkRules, err error) {
	options, given := args[CheckArg]
	if !given {
		options, _, _, _ = parser.ParseDirective("check", text)
	}
	if strings.TrimSpace(options) == "" {
		return r, nil
	}
	for part := range strings.SplitSeq(options, ";") {
		key, value, _ := strings.Cut(part, "=")
		names := strings.Split(strings.ToLower(value), ",")
		for i := range names {
			names[i] = strings.TrimSpace(names[i])
		}
		switch key = strings.TrimSpace(key); strings.ToLower(key) {
		case "skip":
			r.skip = names
		case "experimental":
			r.experimental = names
		case "error":
			if r.fatal, err = strconv.ParseBool(strings.TrimSpace(value)); err != nil {
				return r, errdef.Newf(errdef.ErrInvalid, "failed to parse check options: error must be true or false, not %q", value)
			}
		default:
			return r, errdef.Newf(errdef.ErrInvalid, "failed to parse check options: invalid check option %q", key)
		}
	}
	return r, nil
}

func (r *checkRules) wants(rule string) bool {
	named := func(list []string, word string) bool { return slices.Contains(list, strings.ToLower(word)) }
	if experimental(rule) {
		return (named(r.experimental, rule) || named(r.experimental, "all")) && !named(r.skip, rule)
	}
	return !named(r.skip, rule) && !named(r.skip, "all")
}

// ignored warns of sources that the context doesn't have for its ignore file.
func (c *checker) ignored(inst *Copy) {
	if c.opts.Ignored == nil || inst.From != "" {
		return
	}
	verb := map[bool]string{true: "Add", false: "Copy"}[inst.Add]
	for _, source := range inst.Sources {
		if inst.Add && IsRemote(source) || strings.Contains(source, "$") {
			continue
		}
		name := strings.TrimPrefix(path.Clean("/"+source), "/")
		if name != "" && c.opts.Ignored(name) {
			c.warn("CopyIgnoredFile", "Attempting to %s file %q that is excluded by .dockerignore", verb, source)
		}
	}
}

// describedArg checks the comment of an ARG; one of several variables may have any.
func (c *checker) describedArg(arg *Arg) {
	if len(arg.Values) == 1 {
		c.described("ARG", arg.Values[0].Name)
	}
}

// described warns of a comment right before a definition that docker's list of
// targets and arguments can't show: its last line begins with the name.
func (c *checker) described(keyword, name string) {
	comments := c.node.PrevComment
	if len(comments) == 0 {
		return
	}
	last := strings.Fields(comments[len(comments)-1])
	if len(last) > 0 && last[0] != name {
		c.warn("InvalidDefinitionDescription", "Comment for %s should follow the format: `# %s <description>`", keyword, name)
	}
}
