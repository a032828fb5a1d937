package volume

import (
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/podsuite/podsuite/shared/errdef"
)

// SetOptions takes the options of the local driver in: type, device and o as
// for mount(8), copy and nocopy.
func (v *Volume) SetOptions(texts []string) error {
	if v.Options == nil {
		v.Options = map[string]string{}
	}
	for _, text := range texts {
		key, value, hasValue := strings.Cut(text, "=")
		switch key {
		case "type", "device":
			v.Options[key] = value
		case "o":
			if err := v.setMountOptions(value); err != nil {
				return err
			}
		case "copy", "nocopy":
			if hasValue {
				return errdef.Newf(errdef.ErrInvalid, "volume option %s takes no value: %q", key, text)
			}
			v.NoCopy = key == "nocopy"
		default:
			return errdef.Newf(errdef.ErrInvalid, "invalid mount option %s for driver 'local': invalid argument", key)
		}
	}
	kind, device := v.Options["type"], v.Options["device"]
	if kind != "" && device == "" && kind != "tmpfs" {
		return errdef.Newf(errdef.ErrInvalid, "volume options: type %q needs a device", kind)
	}
	if device != "" && kind == "" && !v.has("bind") && !v.has("rbind") {
		return errdef.Newf(errdef.ErrInvalid, "volume options: device %q needs a type, or o=bind", device)
	}
	if size := v.Options["SIZE"]; size != "" && kind != "tmpfs" {
		return errdef.Newf(errdef.ErrUnsupported, "volume option size=%s: a limit needs type=tmpfs: quotas of file systems are not supported", size)
	}
	return nil
}

// setMountOptions reads what is given as o=…; some of it is not for mount.
func (v *Volume) setMountOptions(value string) error {
	v.Options["o"] = value
	for opt := range strings.SplitSeq(value, ",") {
		key, text, hasValue := strings.Cut(opt, "=")
		switch key {
		case "size":
			if _, err := units.RAMInBytes(text); err != nil {
				return errdef.Newf(errdef.ErrInvalid, "cannot convert size %s to integer: %w", text, err)
			}
			v.Options["SIZE"] = text
		case "uid", "gid":
			id, err := strconv.Atoi(text)
			if err != nil || id < 0 {
				return errdef.Newf(errdef.ErrInvalid, "cannot convert %s %s to integer: invalid argument", key, text)
			}
			v.Options[strings.ToUpper(key)] = text
			if key == "uid" {
				v.UID = id
			} else {
				v.GID = id
			}
		case "inodes", "noquota", "timeout":
			if key == "noquota" && !hasValue {
				continue // there are none
			}
			return errdef.Newf(errdef.ErrUnsupported, "volume option %q: quotas and time-outs of volume drivers are not supported", opt)
		}
	}
	return nil
}

// has says whether a mount option is given.
func (v *Volume) has(option string) bool {
	return strings.Contains(","+v.Options["o"]+",", ","+option+",")
}

// NeedsMount says whether a file system has to be mounted for the volume.
func (v *Volume) NeedsMount() bool {
	return v.Options["type"] != "" || v.Options["device"] != ""
}
