package dockerfile

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/podsuite/podsuite/shared/errdef"
)

// copy makes COPY and ADD.
func (p *fileParser) copy(node *parser.Node, add bool) (Instruction, error) {
	known := []string{"chown", "chmod", "exclude", "link"}
	if add {
		known = append(known, "checksum", "keep-git-dir", "unpack")
	} else {
		known = append(known, "from", "parents")
	}
	flags, err := p.flags(node, known...)
	if err != nil {
		return nil, err
	}
	c := &Copy{
		Add: add, From: flags.value("from"), Chown: flags.value("chown"), Chmod: flags.value("chmod"),
		Exclude: flags["exclude"], Checksum: flags.value("checksum"),
	}
	for name, to := range map[string]*bool{"parents": &c.Parents, "link": &c.Link, "keep-git-dir": &c.KeepGitDir, "unpack": new(bool)} {
		value, ok := flags.bool(name)
		if !ok {
			return nil, p.at(node, "--%s must be true or false, not %q", name, flags.value(name))
		}
		*to = value
		if name == "unpack" && flags.value(name) != "" {
			c.Unpack = to
		}
	}
	words := list(node.Next)
	if len(words) < 2 {
		return nil, stepError(node, c.Keyword()+" requires at least two arguments")
	}
	c.Dest = words[len(words)-1]
	if c.Checksum != "" && !slices.ContainsFunc(words[:len(words)-1], IsRemote) {
		return nil, p.at(node, "ADD --checksum: a checksum requires HTTP(S) or Git sources")
	}
	c.Heredocs = heredocs(node)
	for _, word := range words[:len(words)-1] {
		if doc, _ := parser.ParseHeredoc(word); doc != nil && len(c.Heredocs) > 0 {
			continue
		}
		c.Sources = append(c.Sources, word)
	}
	if c.From != "" && len(c.Heredocs) > 0 {
		return nil, p.at(node, "COPY --from can't take here-documents")
	}
	return c, nil
}

// IsRemote tells whether a source of ADD is to be fetched.
func IsRemote(word string) bool {
	return IsGit(word) || strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://")
}

// IsGit tells whether a source or a context is a git repository.
func IsGit(word string) bool {
	for _, prefix := range []string{"git://", "git@", "ssh://", "github.com/"} {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	name, _, _ := strings.Cut(word, "#")
	return (strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://")) && strings.HasSuffix(name, ".git")
}

func heredocs(node *parser.Node) []Heredoc {
	var docs []Heredoc
	for _, doc := range node.Heredocs {
		content := doc.Content
		if doc.Chomp {
			content = parser.ChompHeredocContent(content)
		}
		docs = append(docs, Heredoc{Name: doc.Name, Expand: doc.Expand, Chomp: doc.Chomp, Content: content})
	}
	return docs
}

// run makes RUN.
func (p *fileParser) run(node *parser.Node) (Instruction, error) {
	flags, err := p.flags(node, "mount", "network", "security", "device")
	if err != nil {
		return nil, err
	}
	r := &Run{Command: command(node), Heredocs: heredocs(node), Network: flags.value("network")}
	if len(r.Args) == 0 {
		return nil, stepError(node, "RUN requires at least one argument")
	}
	switch r.Network {
	case "", "default", "none", "host":
	default:
		return nil, p.at(node, "RUN --network must be default, none or host, not %q", r.Network)
	}
	switch security := flags.value("security"); security {
	case "", "sandbox":
	case "insecure":
		r.Insecure = true
	default:
		return nil, p.at(node, "RUN --security must be sandbox or insecure, not %q", security)
	}
	for _, text := range flags["device"] {
		device, err := parseDevice(text)
		if err != nil {
			return nil, p.at(node, "RUN --device: %w", err)
		}
		r.Devices = append(r.Devices, device)
	}
	for _, text := range flags["mount"] {
		mount, err := p.mount(node, text)
		if err != nil {
			return nil, err
		}
		r.Mounts = append(r.Mounts, mount)
	}
	return r, nil
}

// parseDevice reads "[name=]NAME[,required[=BOOL]]".
func parseDevice(text string) (d Device, err error) {
	for i, field := range strings.Split(text, ",") {
		key, value, hasValue := strings.Cut(field, "=")
		switch {
		case key == "required":
			if d.Required, err = flagValue(value, hasValue); err != nil {
				return d, errdef.Newf(errdef.ErrInvalid, "required must be true or false, not %q", value)
			}
		case key == "name":
			d.Name = value
		case i == 0:
			d.Name = field
		default:
			return d, errdef.Newf(errdef.ErrInvalid, "unknown key %q", key)
		}
	}
	if d.Name == "" {
		return d, errdef.Newf(errdef.ErrInvalid, "%q names no device", text)
	}
	return d, nil
}

// mount reads the value of RUN --mount.
func (p *fileParser) mount(node *parser.Node, text string) (Mount, error) {
	m, err := ParseMount(text)
	var kind *mountTypeError
	switch {
	case errors.As(err, &kind):
		return m, stepError(node, "resolving mountpoints: "+err.Error())
	case err != nil:
		return m, p.at(node, "RUN --mount: %w", err)
	}
	return m, nil
}

// mountTypeError says that there is no such type of mounts.
type mountTypeError struct{ kind string }

func (e *mountTypeError) Error() string { return "invalid mount type " + strconv.Quote(e.kind) }

// ParseMount reads what RUN --mount takes: "type=TYPE,key=value,…".
func ParseMount(text string) (Mount, error) {
	m := Mount{Type: "bind", Sharing: "shared"}
	fields := strings.Split(text, ",")
	for _, field := range fields {
		if key, value, _ := strings.Cut(field, "="); key == "type" {
			m.Type = value
		}
	}
	switch m.Type {
	case "bind":
		m.ReadOnly = true
	case "cache", "tmpfs", "secret", "ssh":
	default:
		return m, &mountTypeError{m.Type}
	}
	for _, field := range fields {
		key, value, hasValue := strings.Cut(field, "=")
		if !m.takes(strings.ToLower(key)) {
			return m, errdef.Newf(errdef.ErrInvalid, "type=%s has no key %q", m.Type, key)
		}
		if err := m.set(strings.ToLower(key), value, hasValue); err != "" {
			return m, errdef.Newf(errdef.ErrInvalid, "%s %q", err, field)
		}
	}
	switch {
	case m.Type == "ssh":
		m.ID = cmp.Or(m.ID, "default")
		return m, nil
	case m.Type != "secret" && m.Target == "":
		return m, errdef.Newf(errdef.ErrInvalid, "type=%s needs a target", m.Type)
	case m.Type != "secret":
		return m, nil
	}
	if m.ID == "" {
		m.ID = path.Base(cmp.Or(m.Source, m.Target))
	}
	if m.ID == "." || m.ID == "/" {
		return m, errdef.Newf(errdef.ErrInvalid, "type=secret needs an id")
	}
	if m.Target == "" && m.Env == "" {
		m.Target = path.Join("/run/secrets", path.Clean("/"+m.ID)) // never beside it
	}
	return m, nil
}

// takes tells whether the key means anything for mounts of the type.
func (m *Mount) takes(key string) bool {
	var types []string
	switch key {
	case "source", "src":
		types = []string{"bind", "cache", "secret"}
	case "from", "ro", "readonly":
		types = []string{"bind", "cache"}
	case "id", "mode", "uid", "gid":
		types = []string{"cache", "secret", "ssh"}
	case "required":
		types = []string{"secret", "ssh"}
	case "sharing":
		types = []string{"cache"}
	case "size":
		types = []string{"tmpfs"}
	case "env":
		types = []string{"secret"}
	default:
		return true
	}
	return slices.Contains(types, m.Type)
}

// set takes one key of a mount and says what is wrong with it, if anything.
func (m *Mount) set(key, value string, hasValue bool) string {
	var err error
	switch key {
	case "type":
	case "target", "dst", "destination":
		m.Target = value
	case "source", "src":
		m.Source = value
	case "from":
		m.From = value
	case "id":
		m.ID = value
	case "env":
		m.Env = value
	case "sharing":
		m.Sharing = value
		if value != "shared" && value != "private" && value != "locked" {
			return "unknown sharing mode"
		}
	case "ro", "readonly":
		m.ReadOnly, err = flagValue(value, hasValue)
	case "rw", "readwrite":
		m.ReadOnly, err = flagValue(value, hasValue)
		m.ReadOnly = !m.ReadOnly
	case "required":
		m.Required, err = flagValue(value, hasValue)
	case "mode":
		var mode uint64
		mode, err = strconv.ParseUint(value, 8, 12)
		m.Mode = uint32(mode)
	case "uid":
		m.UID, err = strconv.Atoi(value)
	case "gid":
		m.GID, err = strconv.Atoi(value)
	case "size":
		m.Size, err = units.RAMInBytes(value)
	case "z", "relabel":
	default:
		return "unknown key"
	}
	if err != nil {
		return "bad value"
	}
	return ""
}

func flagValue(value string, given bool) (bool, error) {
	if !given {
		return true, nil
	}
	return strconv.ParseBool(value)
}
