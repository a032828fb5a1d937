package cliflag

import (
	"os"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Progress says how a long command shows how far it is.
type Progress struct {
	Quiet bool
	mode  string
}

// Bind declares --progress, and --quiet with the text that help gives for it.
func (p *Progress) Bind(f *pflag.FlagSet, quiet string) {
	p.BindMode(f)
	f.BoolVarP(&p.Quiet, "quiet", "q", false, quiet)
}

// BindMode declares --progress alone.
func (p *Progress) BindMode(f *pflag.FlagSet) {
	f.StringVar(&p.mode, "progress", "auto", "show progress as `MODE`: tty (bars), plain (lines), json (an object a line), none, or auto")
}

// On is the display on w, normally standard error.
func (p *Progress) On(w *os.File) (cliout.Progress, error) {
	mode, err := p.Mode(w)
	if err != nil {
		return nil, err
	}
	return cliout.NewProgress(w, mode), nil
}

// Mode is what the display on w is to be: tty, plain, json or none.
func (p *Progress) Mode(w *os.File) (string, error) {
	switch p.mode {
	case "", "auto", "tty", "plain", "json", "none":
	default:
		return "", errdef.Newf(errdef.ErrInvalid, "unknown progress mode %q: want auto, tty, plain, json or none", p.mode)
	}
	if p.Quiet {
		return "none", nil
	}
	return cliout.ProgressMode(w, p.mode), nil
}
