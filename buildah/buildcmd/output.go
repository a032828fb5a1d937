package buildcmd

import (
	"os"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

// parseOutputs reads --output: a directory, "-", or type=TYPE,KEY=VALUE… as
// buildah and docker have them.
func parseOutputs(in []string) ([]build.Output, error) {
	var outputs []build.Output
	for _, text := range in {
		if !strings.Contains(text, "=") {
			o := build.Output{Kind: build.OutputLocal, Dest: text}
			if text == "-" {
				o.Kind = build.OutputTar
			}
			outputs = append(outputs, o)
			continue
		}
		o, err := parseOutput(text)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, o)
	}
	return outputs, nil
}

func parseOutput(text string) (o build.Output, err error) {
	var given []string
	for _, field := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "type":
			o.Kind = value
		case "dest":
			o.Dest = value
		case "name":
			o.Names = append(o.Names, value)
		case "compression":
			o.Compression = value
		case "compression-level":
			o.Level, err = strconv.Atoi(value)
		case "force-compression":
			o.Force, err = parseSwitch(value)
		case "push":
			o.Push, err = parseSwitch(value)
		case "tar":
			o.Dir, err = parseSwitch(value)
			o.Dir = !o.Dir
		default:
			return o, errdef.Newf(errdef.ErrInvalid, "unrecognized key %q in build output option: %q", key, text)
		}
		if err != nil {
			return o, errdef.Newf(errdef.ErrInvalid, "invalid value %q of %q in build output option: %q", value, key, text)
		}
		given = append(given, key)
	}
	return o, completeOutput(&o, text, given)
}

func parseSwitch(text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	return strconv.ParseBool(text)
}

// outputKeys are the keys that a type takes beside type and dest.
func outputKeys(kind string) string {
	switch kind {
	case build.OutputDocker:
		return "name"
	case build.OutputOCI:
		return "name tar compression compression-level force-compression"
	case build.OutputImage:
		return "name push compression compression-level force-compression"
	}
	return ""
}

// completeOutput makes what docker's users write one of the kinds and refuses
// what a kind has no use for.
func completeOutput(o *build.Output, text string, given []string) error {
	kind := o.Kind
	switch {
	case kind == "registry":
		o.Kind, o.Push = build.OutputImage, true
	case kind == build.OutputDocker && o.Dest == "":
		o.Kind = build.OutputImage
	case kind == build.OutputOCI && o.Dest == "":
		o.Dest = "-"
	}
	allowed := strings.Fields(outputKeys(o.Kind))
	for _, key := range given {
		ok := key == "type" || key == "dest" && o.Kind != build.OutputImage
		for _, have := range allowed {
			ok = ok || key == have
		}
		if !ok {
			return errdef.Newf(errdef.ErrInvalid, "type %q has no key %q in build output option: %q", kind, key, text)
		}
	}
	switch o.Kind {
	case build.OutputImage, build.OutputDocker, build.OutputLocal, build.OutputTar, build.OutputOCI:
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid type %q selected for build output options %q", kind, text)
	}
	switch {
	case o.Kind != build.OutputImage && o.Dest == "":
		return errdef.Newf(errdef.ErrInvalid, "dest is required in build output options %q", text)
	case o.Dir && o.Dest == "-":
		return errdef.Newf(errdef.ErrInvalid, "dest, a directory, is required in build output options %q", text)
	case o.Dest == "-" && o.Kind != build.OutputTar && cliout.IsTerminal(os.Stdout):
		return errdef.Newf(errdef.ErrInvalid, "build output options %q: an image is not written to a terminal: redirect it or give dest", text)
	case o.Kind == build.OutputImage && !o.Push && o.Compression != "":
		return errdef.Newf(errdef.ErrInvalid, "build output options %q: compression is that of an image which is pushed", text)
	}
	if _, err := build.TagNames(o.Names); err != nil {
		return err
	}
	return imgcopy.CheckCompression(o.Compression, o.Level)
}
