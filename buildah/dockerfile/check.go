package dockerfile

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Warning is what a check says of a Containerfile; Rule has the names that
// docker's users know.
type Warning struct {
	Rule, Text string
	First      int // line, from 1
	Last       int
}

// CheckOptions is what a check depends on beside the file.
type CheckOptions struct {
	Args map[string]string // given for the build
	// Platform are the arguments that are known without an ARG before FROM.
	Platform map[string]string
	// Env gives the variables of a base image, "NAME=value"; ok is false where
	// they aren't known, and then no variable of the stage is called undefined.
	Env func(image string) (env []string, ok bool)
	// Ignored tells whether the context's ignore file leaves a path out.
	Ignored func(path string) bool
}

// Checked is what a check finds.
type Checked struct {
	Warnings []Warning
	fatal    bool
}

// Err is an error where the file wants its build to fail for the warnings.
func (c *Checked) Err() error {
	if !c.fatal || len(c.Warnings) == 0 {
		return nil
	}
	var rules []string
	for _, w := range c.Warnings {
		if !slices.Contains(rules, w.Rule) {
			rules = append(rules, w.Rule)
		}
	}
	return errdef.Newf(errdef.ErrInvalid, "lint violation found for rules: %s", strings.Join(rules, ", "))
}

// Check reads a Containerfile and lists what is suspicious in it, in the order
// of its lines. Rules that the file itself skips are left out.
func Check(name string, text []byte, opts CheckOptions) (*Checked, error) {
	file, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	rules, err := rulesOf(text, opts.Args)
	if err != nil {
		return nil, err
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := &checker{file: file, opts: opts, names: map[string]bool{}, known: map[string]stageVars{}}
	for _, w := range result.Warnings {
		if w.Location != nil && strings.HasPrefix(w.Short, "Empty continuation line") {
			c.found = append(c.found, Warning{"NoEmptyContinuation", "Empty continuation line", w.Location.Start.Line, w.Location.End.Line})
		}
	}
	c.nodes = result.AST.Children
	c.casing(c.nodes)
	c.globals()
	nodes := result.AST.Children[len(file.Args):]
	for _, stage := range file.Stages {
		c.node, nodes = nodes[0], nodes[1:]
		c.stage(stage)
		for i := range stage.Steps {
			c.node, nodes = nodes[0], nodes[1:]
			c.step(&stage.Steps[i])
		}
		c.known[strings.ToLower(stage.Name)] = c.vars
	}
	c.found = slices.DeleteFunc(c.found, func(w Warning) bool { return !rules.wants(w.Rule) })
	slices.SortStableFunc(c.found, func(a, b Warning) int { return a.First - b.First })
	return &Checked{c.found, rules.fatal}, nil
}

// stageVars are a stage's variables so far.
type stageVars struct {
	names   []string
	all     bool // not all are known: none is undefined
	workdir bool // a working directory was set
}

type checker struct {
	file  *File
	opts  CheckOptions
	found []Warning

	nodes   []*parser.Node // all
	node    *parser.Node   // that is looked at
	args    Vars           // before the first FROM
	names   map[string]bool
	known   map[string]stageVars // by name of the stage
	vars    stageVars
	single  map[string]*parser.Node // the stage's instructions that count once
	shelled bool                    // the stage says what its shell is
}

func (c *checker) warn(rule, format string, args ...any) { c.warnAt(c.node, rule, format, args...) }

func (c *checker) warnAt(node *parser.Node, rule, format string, args ...any) {
	c.found = append(c.found, Warning{rule, fmt.Sprintf(format, args...), node.StartLine, max(node.StartLine, node.EndLine)})
}

// keyword is the node's instruction as it was written.
func keyword(node *parser.Node) string {
	word, _, _ := strings.Cut(strings.TrimSpace(node.Original), " ")
	return strings.Fields(word + " ")[0]
}

func (c *checker) casing(nodes []*parser.Node) {
	upper, lower := 0, 0
	for _, node := range nodes {
		switch word := keyword(node); word {
		case strings.ToUpper(word):
			upper++
		case strings.ToLower(word):
			lower++
		}
	}
	majority, is := strings.ToUpper, "uppercase"
	if lower > upper {
		majority, is = strings.ToLower, "lowercase"
	}
	for _, node := range nodes {
		if word := keyword(node); word != majority(word) {
			c.warnAt(node, "ConsistentInstructionCasing", "Command '%s' should match the case of the command majority (%s)", word, is)
		}
	}
}

// globals finds what the arguments before the first FROM are by themselves.
func (c *checker) globals() {
	c.args = Vars{}
	for name, value := range c.opts.Platform {
		c.args[name] = value
	}
	for i, arg := range c.file.Args {
		c.node = c.nodes[i]
		c.describedArg(arg)
		for _, v := range arg.Values {
			c.args[v.Name] = ""
			if v.Default != nil {
				c.args[v.Name], _ = Expander{c.file.Escape}.Word(*v.Default, c.args)
			}
		}
	}
}

func (c *checker) stage(s *Stage) {
	if s.Name != "" {
		c.described("FROM", s.Name)
	}
	c.single, c.shelled = map[string]*parser.Node{}, false
	c.stageName(s)
	c.platform(s)
	lex := Expander{c.file.Escape}.lex()
	for _, word := range []string{s.Base, s.Platform} {
		_, unmatched, _ := lex.ProcessWord(word, c.args)
		for _, name := range sorted(unmatched) {
			c.warn("UndefinedArgInFrom", "FROM argument '%s' is not declared%s", name, suggest(name, c.args.Keys()))
		}
	}
	base, _ := Expander{c.file.Escape}.Word(s.Base, c.args) // by its arguments' defaults
	if strings.Contains(s.Base, "$") && !plausibleImage(base) {
		c.warn("InvalidDefaultArgInFrom", "Default value for ARG %s results in empty or invalid base image name", s.Base)
	}
	given := maps.Clone(c.args)
	for name, value := range c.opts.Args {
		if _, declared := given[name]; declared {
			given[name] = value
		}
	}
	base, _ = Expander{c.file.Escape}.Word(s.Base, given)
	c.begin(base)
}

// begin sets the variables that a stage starts with.
func (c *checker) begin(base string) {
	if known, ok := c.known[strings.ToLower(base)]; ok && base != "" {
		c.vars = stageVars{slices.Clone(known.names), known.all, known.workdir}
		return
	}
	c.vars = stageVars{names: []string{"PATH"}}
	if base == "scratch" {
		return
	}
	env, ok := c.opts.Env(base)
	c.vars.all = !ok
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		c.vars.names = append(c.vars.names, name)
	}
}

// plausibleImage tells whether an image could have the name: nothing in it is
// empty.
func plausibleImage(name string) bool {
	return name != "" && !strings.ContainsAny(name, " ") && !strings.HasSuffix(name, ":") && !strings.HasSuffix(name, "@") &&
		!strings.HasPrefix(name, ":") && !slices.Contains(strings.Split(name, "/"), "")
}

func (c *checker) stageName(s *Stage) {
	if s.Name == "" {
		return
	}
	lower := strings.ToLower(s.Name)
	if s.Name != lower {
		c.warn("StageNameCasing", "Stage name '%s' should be lowercase", s.Name)
	}
	words := strings.Fields(c.node.Original)
	from, as := words[0], words[len(words)-2]
	if from == strings.ToUpper(from) && as != strings.ToUpper(as) || from == strings.ToLower(from) && as != strings.ToLower(as) {
		c.warn("FromAsCasing", "'%s' and '%s' keywords' casing do not match", as, from)
	}
	if lower == "scratch" || lower == "context" {
		c.warn("ReservedStageName", "Stage name should not use the same name as reserved stage %q", lower)
	}
	if c.names[lower] {
		c.warn("DuplicateStageName", "Duplicate stage name %q, stage names should be unique", lower)
	}
	c.names[lower] = true
}

func (c *checker) platform(s *Stage) {
	switch p := s.Platform; {
	case p == "":
	case p == "$TARGETPLATFORM" || p == "${TARGETPLATFORM}":
		c.warn("RedundantTargetPlatform", "Setting platform to predefined %s in FROM is redundant as this is the default behavior", p)
	case !strings.Contains(p, "$"):
		// A stage that is called after its platform is meant to have that one.
		for _, part := range strings.Split(p, "/") {
			if strings.Contains(strings.ToLower(s.Name), part) {
				return
			}
		}
		c.warn("FromPlatformFlagConstDisallowed", "FROM --platform flag should not use constant value %q", p)
	}
}

func (c *checker) step(step *Step) {
	switch inst := step.Inst.(type) {
	case *Cmd:
		c.once("CMD")
		c.json("CMD", inst.Command)
	case *Entrypoint:
		c.once("ENTRYPOINT")
		c.json("ENTRYPOINT", inst.Command)
	case *Healthcheck:
		c.once("HEALTHCHECK")
	case *Shell:
		c.shelled = true
	case *Maintainer:
		c.warn("MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label")
	case *Env:
		c.pairs("ENV", inst.Pairs)
		for _, p := range inst.Pairs {
			c.secret("ENV", p.Name)
			c.vars.names = append(c.vars.names, p.Name)
		}
	case *Label:
		c.pairs("LABEL", inst.Pairs)
	case *Arg:
		c.arg(inst)
	case *Copy:
		c.ignored(inst)
		c.words(append(slices.Clone(inst.Sources), inst.Dest, inst.Chown, inst.Chmod)...)
	case *Workdir:
		c.words(inst.Path)
		if !strings.HasPrefix(inst.Path, "$") && !path.IsAbs(inst.Path) && !c.vars.workdir {
			c.warn("WorkdirRelativePath", "Relative workdir %q can have unexpected results if the base image changes", inst.Path)
		}
		c.vars.workdir = true
	case *User:
		c.words(inst.Name)
	case *Volume:
		c.words(inst.Paths...)
	case *StopSignal:
		c.words(inst.Signal)
	case *Expose:
		c.words(inst.Ports...)
		c.ports(inst.Ports)
	}
}

// once is an instruction of which only the stage's last counts.
func (c *checker) once(name string) {
	if before := c.single[name]; before != nil {
		c.warnAt(before, "MultipleInstructionsDisallowed", "Multiple %s instructions should not be used in the same stage because only the last one will be used", name)
	}
	c.single[name] = c.node
}

func (c *checker) json(name string, command Command) {
	if command.Shell && !c.shelled {
		c.warn("JSONArgsRecommended", "JSON arguments recommended for %s to prevent unintended behavior related to OS signals", name)
	}
}

// pairs checks the names and values of ENV or LABEL.
func (c *checker) pairs(name string, pairs []Pair) {
	// The parser puts name, value and what stood between them in a row.
	if first := c.node.Next; first != nil && first.Next != nil && first.Next.Next != nil && first.Next.Next.Value == "" {
		c.warn("LegacyKeyValueFormat", "\"%s key=value\" should be used instead of legacy \"%s key value\" format", name, name)
	}
	for _, p := range pairs {
		c.words(p.Name, p.Value)
	}
}

func (c *checker) arg(arg *Arg) {
	c.describedArg(arg)
	for _, v := range arg.Values {
		if v.Default != nil {
			c.words(*v.Default)
		}
		c.secret("ARG", v.Name)
		c.vars.names = append(c.vars.names, v.Name)
	}
}

// secret warns of a name that sounds like one of a secret's.
func (c *checker) secret(keyword, name string) {
	parts := strings.Split(strings.ToLower(name), "_")
	if slices.Contains(parts, "public") {
		return
	}
	for _, word := range []string{"apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"} {
		if slices.Contains(parts, word) {
			c.warn("SecretsUsedInArgOrEnv", "Do not use ARG or ENV instructions for sensitive data (%s %q)", keyword, name)
			return
		}
	}
}

// words warns of variables that nothing sets.
func (c *checker) words(words ...string) {
	if c.vars.all {
		return
	}
	vars := Vars{}
	for _, name := range c.vars.names {
		vars[name] = ""
	}
	lex := Expander{c.file.Escape}.lex()
	for _, word := range words {
		_, unmatched, _ := lex.ProcessWord(word, vars)
		for _, name := range sorted(unmatched) {
			c.warn("UndefinedVar", "Usage of undefined variable '$%s'%s", name, suggest(name, c.vars.names))
		}
	}
}

func (c *checker) ports(ports []string) {
	for _, port := range ports {
		if strings.Contains(port, "$") {
			continue
		}
		if strings.Contains(port, ":") {
			c.warn("ExposeInvalidFormat", "EXPOSE instruction should not define an IP address or host-port mapping, found '%s'", port)
		}
		if _, protocol, _ := strings.Cut(port, "/"); protocol != strings.ToLower(protocol) {
			c.warn("ExposeProtoCasing", "Defined protocol '%s' in EXPOSE instruction should be lowercase", port)
		}
	}
}

func sorted(set map[string]struct{}) []string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// suggest names the variable that may have been meant: the one that the least
// has to be changed of, at most two characters.
func suggest(name string, known []string) string {
	best, least := "", 3
	for _, other := range known {
		if d := distance(name, other); d < least {
			best, least = other, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean $" + best + "?)"
}

// distance is how many characters must be put in, taken out or replaced to
// make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
