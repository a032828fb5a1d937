// Command man writes the manual pages: section 1 from what the programs say
// of their commands, section 5 from what is written by hand.
//
//	go run hack/man/main.go BIN OUT
//
// BIN holds the programs. docs/man/COMMAND.1.md adds prose to the page of a
// command (podman-run.1.md to that of podman run) and docs/man/NAME.5.md is a
// whole page. Their Markdown is plain: headings, paragraphs, lists with "- ",
// fenced blocks, **bold** and `code`; a line "@include FILE" takes a file of
// this tree in as it is.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: go run hack/man/main.go BIN OUT")
	}
	g := &generator{bin: os.Args[1], out: os.Args[2]}
	for _, section := range []string{"man1", "man5"} {
		if err := os.MkdirAll(filepath.Join(g.out, section), 0o755); err != nil {
			log.Fatal(err)
		}
	}
	for _, tool := range []string{"podman", "buildah", "skopeo"} {
		if err := g.command(tool, nil); err != nil {
			log.Fatal(err)
		}
	}
	if err := g.files(); err != nil {
		log.Fatal(err)
	}
}

type generator struct{ bin, out string }

// page is what a command says of itself.
type page struct {
	short, long string
	usage       []string
	sections    map[string][]string // Options, Commands, Examples, Aliases
}

// command writes the page of one command and of those below it.
func (g *generator) command(tool string, path []string) error {
	cmd := exec.Command(filepath.Join(g.bin, tool), append(path[:len(path):len(path)], "--help")...)
	// Nothing of this machine's user goes into the text.
	cmd.Env = []string{"HOME=/root", "PATH=/usr/bin:/bin", "XDG_RUNTIME_DIR="}
	help, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	p := parse(string(help))
	name := strings.Join(append([]string{tool}, path...), "-")
	prose, err := os.ReadFile(filepath.Join("docs/man", name+".1.md"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	text, err := p.roff(name, string(prose))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.out, "man1", name+".1"), []byte(text), 0o644); err != nil {
		return err
	}
	for _, line := range p.sections["Commands"] {
		sub := strings.Fields(line)[0]
		if sub == "help" || sub == "completion" {
			continue
		}
		if err := g.command(tool, append(path[:len(path):len(path)], sub)); err != nil {
			return err
		}
	}
	return nil
}

// files writes the pages of section 5.
func (g *generator) files() error {
	pages, err := filepath.Glob("docs/man/*.5.md")
	if err != nil {
		return err
	}
	for _, file := range pages {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".5.md")
		body, err := markdown(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(g.out, "man5", name+".5"), []byte(title(name, 5)+body), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// parse takes a help text apart.
func parse(help string) page {
	p := page{sections: map[string][]string{}}
	at := "About"
	for line := range strings.Lines(help) {
		line = strings.TrimRight(line, "\n")
		if head, ok := strings.CutSuffix(line, ":"); ok && !strings.HasPrefix(line, " ") {
			switch head {
			case "Usage", "Aliases", "Examples", "Description":
				at = head
				continue
			case "Options", "Flags":
				at = "Options"
				continue
			case "Available Commands":
				at = "Commands"
				continue
			}
		}
		if strings.HasPrefix(line, "Use \"") {
			at = "End"
		}
		if strings.TrimSpace(line) != "" {
			p.sections[at] = append(p.sections[at], strings.TrimPrefix(line, "  "))
		}
	}
	about := p.sections["About"]
	if len(about) > 0 {
		p.short = strings.TrimSuffix(about[0], ".")
		p.long = strings.Join(about, "\n")
	}
	if d := p.sections["Description"]; len(d) > 0 {
		p.long = strings.Join(d, "\n")
	}
	p.usage = p.sections["Usage"]
	return p
}

func title(name string, section int) string {
	return fmt.Sprintf(".\\\" Generated: don't edit.\n.TH %q %d \"\" podsuite\n", strings.ToUpper(name), section)
}

// option takes "-f, --file string   What it is" apart.
func option(line string) (names, about string, ok bool) {
	m := regexp.MustCompile(`^\s*((?:-\w, )?--[^ ]+(?: [^ ]+)?) {2,}(.*)$`).FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

func (p page) roff(name, prose string) (string, error) {
	var b strings.Builder
	b.WriteString(title(name, 1))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", escape(name), escape(p.short))
	for _, u := range p.usage {
		fmt.Fprintf(&b, ".B %s\n.br\n", escape(u))
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", escapeLines(p.long))
	// The hand-written text begins as part of the description.
	body, err := markdown(prose)
	if err != nil {
		return "", err
	}
	first, rest, _ := strings.Cut(body, "\n.SH ")
	if prose != "" {
		b.WriteString(strings.TrimRight(first, "\n") + "\n")
	}
	if c := p.sections["Commands"]; len(c) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, line := range c {
			sub, about, _ := strings.Cut(line, " ")
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR(1)\n%s\n", escape(name+"-"+sub), escapeLines(strings.TrimSpace(about)))
		}
	}
	if o := p.sections["Options"]; len(o) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, line := range o {
			if names, about, ok := option(line); ok {
				fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", escape(names), escapeLines(about))
			} else {
				fmt.Fprintf(&b, "%s\n", escapeLines(strings.TrimSpace(line)))
			}
		}
	}
	if e := p.sections["Examples"]; len(e) > 0 {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", escapeLines(strings.Join(e, "\n")))
	}
	if rest != "" {
		b.WriteString(".SH " + strings.TrimRight(rest, "\n") + "\n")
	}
	if i := strings.LastIndexByte(name, '-'); i > 0 && len(p.sections["Commands"]) == 0 || i > 0 {
		fmt.Fprintf(&b, ".SH SEE ALSO\n\\fB%s\\fR(1)\n", escape(name[:i]))
	}
	return b.String(), nil
}

// markdown turns the plain Markdown of docs/man into roff.
func markdown(text string) (string, error) {
	var b strings.Builder
	fenced := false
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := s.Text()
		switch {
		case strings.HasPrefix(line, "```"):
			if fenced = !fenced; fenced {
				b.WriteString(".PP\n.RS 4\n.nf\n")
			} else {
				b.WriteString(".fi\n.RE\n")
			}
		case fenced:
			b.WriteString(escapeLines(line) + "\n")
		case strings.HasPrefix(line, "@include "):
			file, err := os.ReadFile(strings.TrimPrefix(line, "@include "))
			if err != nil {
				return "", err
			}
			b.WriteString(".PP\n.nf\n" + escapeLines(strings.TrimRight(string(file), "\n")) + "\n.fi\n")
		case strings.HasPrefix(line, "### "):
			b.WriteString("\n.SS " + escape(line[4:]) + "\n")
		case strings.HasPrefix(line, "## "):
			b.WriteString("\n.SH " + escape(line[3:]) + "\n")
		case strings.HasPrefix(line, "- "):
			b.WriteString(".IP \\(bu 2\n" + inline(line[2:]) + "\n")
		case strings.TrimSpace(line) == "":
			b.WriteString(".PP\n")
		default:
			b.WriteString(inline(strings.TrimSpace(line)) + "\n")
		}
	}
	if fenced {
		return "", fmt.Errorf("a fenced block has no end")
	}
	return b.String(), nil
}

// inline sets **bold** and `code` in bold.
func inline(line string) string {
	line = escapeLines(line)
	for _, mark := range []string{"**", "`"} {
		for on := true; strings.Contains(line, mark); on = !on {
			font := `\fR`
			if on {
				font = `\fB`
			}
			line = strings.Replace(line, mark, font, 1)
		}
	}
	return line
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
}

// escapeLines also keeps lines from being taken for requests.
func escapeLines(s string) string {
	lines := strings.Split(escape(s), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
