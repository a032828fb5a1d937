package dockerfile

import (
	"strings"
	"time"
)

// Instruction is one of the pointer types of this file.
type Instruction interface{ instruction() }

// Pair is a name with its value, both still to be expanded.
type Pair struct{ Name, Value string }

// ArgValue is a variable that ARG declares.
type ArgValue struct {
	Name    string
	Default *string // nil without "=value"
}

// Heredoc is a here-document of RUN, COPY or ADD.
type Heredoc struct {
	Name    string
	Expand  bool // the name was not quoted
	Chomp   bool // leading tabs go, as "<<-" asks
	Content string
}

func (d *Heredoc) summary() string {
	first, rest, _ := strings.Cut(d.Content, "\n")
	if rest != "" {
		first += "..."
	}
	return first
}

// Command is the argument of RUN, CMD, ENTRYPOINT or HEALTHCHECK CMD.
type Command struct {
	Args  []string
	Shell bool // Args is one line for the shell; otherwise the exec form
}

type (
	// Env sets variables in the image and for the steps that follow.
	Env struct{ Pairs []Pair }
	// Label sets labels of the image.
	Label struct{ Pairs []Pair }
	// Arg declares variables that live until the end of the stage.
	Arg struct{ Values []ArgValue }
	// Cmd sets the default command.
	Cmd struct{ Command }
	// Entrypoint sets the entry point.
	Entrypoint struct{ Command }
	// Expose lists ports, "port[/protocol]" each.
	Expose struct{ Ports []string }
	// Volume lists mount points.
	Volume struct{ Paths []string }
	// User sets "user[:group]".
	User struct{ Name string }
	// Workdir sets the working directory, relative to the one before.
	Workdir struct{ Path string }
	// StopSignal sets the signal that stops a container.
	StopSignal struct{ Signal string }
	// Shell sets what runs the shell form of other instructions.
	Shell struct{ Args []string }
	// Maintainer sets the author.
	Maintainer struct{ Name string }
	// OnBuild keeps an instruction for builds on top of the image.
	OnBuild struct{ Text string }
)

// Healthcheck sets or, with None, switches off the health check. A zero
// duration or count means the default.
type Healthcheck struct {
	None bool
	Command
	Interval, Timeout, StartPeriod, StartInterval time.Duration
	Retries                                       int
}

// Copy is COPY, or ADD where Add is set.
type Copy struct {
	Add        bool
	Sources    []string // here-documents are not among them
	Dest       string
	From       string // stage, image or additional context; empty = the build context
	Chown      string
	Chmod      string
	Exclude    []string // patterns
	Parents    bool     // keep the sources' parent directories
	Link       bool     // the files make a layer that doesn't depend on those below
	KeepGitDir bool     // of a source that is a git repository
	Unpack     *bool    // unpack archives, whatever their source; nil = local ones only
	Checksum   string   // of a remote source
	Heredocs   []Heredoc
}

// Keyword is the instruction's name in capitals.
func (c *Copy) Keyword() string {
	if c.Add {
		return "ADD"
	}
	return "COPY"
}

// Run runs a command in the stage's root file system.
type Run struct {
	Command
	Heredocs []Heredoc
	Mounts   []Mount
	Network  string // "", "default", "none" or "host"
	Insecure bool   // with all that root of the host may do
	Devices  []Device
}

// Device is a RUN --device: of the Container Device Interface.
type Device struct {
	Name     string // "vendor.com/class=name"
	Required bool   // otherwise the command is run without it where it is missing
}

// Mount is a RUN --mount. Source, From and Target are still to be expanded.
type Mount struct {
	Type     string // bind, cache, tmpfs or secret
	Source   string
	From     string
	Target   string
	ID       string
	Env      string // secret: variable to set instead of, or beside, a file
	Sharing  string // cache: shared, private or locked
	ReadOnly bool
	Required bool
	Mode     uint32 // of a cache directory or a secret; 0 = default
	UID, GID int
	Size     int64 // tmpfs: bytes, 0 = no limit
}

func (*Env) instruction()         {}
func (*Label) instruction()       {}
func (*Arg) instruction()         {}
func (*Cmd) instruction()         {}
func (*Entrypoint) instruction()  {}
func (*Expose) instruction()      {}
func (*Volume) instruction()      {}
func (*User) instruction()        {}
func (*Workdir) instruction()     {}
func (*StopSignal) instruction()  {}
func (*Shell) instruction()       {}
func (*Maintainer) instruction()  {}
func (*OnBuild) instruction()     {}
func (*Healthcheck) instruction() {}
func (*Copy) instruction()        {}
func (*Run) instruction()         {}
