package config

import (
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/podsuite/podsuite/shared/errdef"
)

// maxFileSize bounds a configuration file.
const maxFileSize = 4 << 20

// Size is a number of bytes; files may write it as 65536k or 10mb, which are
// thousands and millions, or as 64mib.
type Size int64

// layers collects the values of several files. A string array replaces the
// one before it unless it, or an earlier file, holds {append=true}.
type layers struct {
	appending map[string]bool
	path      string            // the file being applied
	from      map[string]string // key to the file that set it last
	unknown   []string          // keys that mean nothing here, with their file
}

func newLayers() *layers {
	return &layers{appending: map[string]bool{}, from: map[string]string{}}
}

// invalid is the error of a value that is of the right type and still wrong.
func (l *layers) invalid(key, format string, args ...any) error {
	return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: key %q: %w", l.from[key], key, fmt.Errorf(format, args...))
}

// readTOML decodes a file; one that does not exist gives a nil map.
func readTOML(path string) (map[string]any, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration %q: %w", path, err)
	}
	if len(data) > maxFileSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "read configuration %q: larger than %d bytes", path, maxFileSize)
	}
	raw := map[string]any{}
	if err := toml.Unmarshal(data, &raw); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "parse configuration %q: %w", path, err)
	}
	return raw, nil
}

// apply sets the fields of dst (a pointer to a struct with toml tags) that raw
// has values for.
func (l *layers) apply(path string, raw map[string]any, dst any) error {
	l.path = path
	if err := l.fill(reflect.ValueOf(dst).Elem(), raw, ""); err != nil {
		return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: %w", path, err)
	}
	return nil
}

func (l *layers) fill(v reflect.Value, raw map[string]any, at string) error {
	t := v.Type()
	known := 0
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get("toml")
		if key == "" {
			continue
		}
		value, ok := raw[key]
		if !ok {
			continue
		}
		known++
		l.from[join(at, key)] = l.path
		if err := l.set(v.Field(i), value, join(at, key)); err != nil {
			return err
		}
	}
	if known < len(raw) {
		l.noteUnknown(t, raw, at)
	}
	return nil
}

// noteUnknown remembers the keys of raw that the struct has no field for.
func (l *layers) noteUnknown(t reflect.Type, raw map[string]any, at string) {
	known := map[string]bool{}
	for i := range t.NumField() {
		known[t.Field(i).Tag.Get("toml")] = true
	}
	var unknown []string
	for key := range raw {
		if !known[key] {
			unknown = append(unknown, fmt.Sprintf("unknown key %q in configuration %q", join(at, key), l.path))
		}
	}
	slices.Sort(unknown)
	l.unknown = append(l.unknown, unknown...)
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// set assigns one decoded value. Numbers and truth values may also stand in
// quotes, as storage.conf has them.
func (l *layers) set(v reflect.Value, value any, key string) error {
	wrong := func(want string) error {
		return fmt.Errorf("key %q: want %s, got %v", key, want, value)
	}
	if v.Type() == reflect.TypeFor[Size]() {
		n, err := parseSize(value)
		if err != nil {
			return wrong("a size")
		}
		v.SetInt(n)
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		table, ok := value.(map[string]any)
		if !ok {
			return wrong("a table")
		}
		return l.fill(v, table, key)
	case reflect.String:
		s, ok := value.(string)
		if !ok {
			return wrong("a string")
		}
		v.SetString(s)
	case reflect.Bool:
		b, err := toBool(value)
		if err != nil {
			return wrong("true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := toInt(value)
		if err != nil || v.OverflowInt(n) {
			return wrong("a number")
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := toInt(value)
		if err != nil || n < 0 || v.OverflowUint(uint64(n)) {
			return wrong("a number that is not negative")
		}
		v.SetUint(uint64(n))
	case reflect.Slice:
		return l.setSlice(v, value, key)
	case reflect.Map:
		return l.setMap(v, value, key)
	}
	return nil
}

func (l *layers) setSlice(v reflect.Value, value any, key string) error {
	if v.Type().Elem().Kind() == reflect.Struct {
		return l.setTables(v, value, key)
	}
	items, ok := value.([]any)
	if !ok {
		return fmt.Errorf("key %q: want an array of strings, got %v", key, value)
	}
	list := []string{}
	for _, item := range items {
		switch item := item.(type) {
		case string:
			list = append(list, item)
		case map[string]any:
			on, ok := item["append"].(bool)
			if !ok {
				return fmt.Errorf("key %q: want strings or {append=true}, got %v", key, item)
			}
			l.appending[key] = on
		default:
			return fmt.Errorf("key %q: want strings, got %v", key, item)
		}
	}
	if l.appending[key] {
		list = append(v.Interface().([]string), list...)
	}
	v.Set(reflect.ValueOf(list))
	return nil
}

func (l *layers) setTables(v reflect.Value, value any, key string) error {
	var tables []map[string]any
	switch value := value.(type) {
	case []map[string]any:
		tables = value
	case []any:
		for _, item := range value {
			t, ok := item.(map[string]any)
			if !ok {
				return fmt.Errorf("key %q: want tables, got %v", key, item)
			}
			tables = append(tables, t)
		}
	default:
		return fmt.Errorf("key %q: want an array of tables, got %v", key, value)
	}
	out := reflect.MakeSlice(v.Type(), len(tables), len(tables))
	for i, t := range tables {
		if err := l.fill(out.Index(i), t, key); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func (l *layers) setMap(v reflect.Value, value any, key string) error {
	table, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("key %q: want a table, got %v", key, value)
	}
	out := reflect.MakeMap(v.Type())
	for _, k := range v.MapKeys() {
		out.SetMapIndex(k, v.MapIndex(k))
	}
	for name, item := range table {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := l.set(e, item, join(key, name)); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name), e)
	}
	v.Set(out)
	return nil
}

func toBool(value any) (bool, error) {
	switch value := value.(type) {
	case bool:
		return value, nil
	case string:
		return strconv.ParseBool(value)
	}
	return false, strconv.ErrSyntax
}

func toInt(value any) (int64, error) {
	switch value := value.(type) {
	case int64:
		return value, nil
	case string:
		return strconv.ParseInt(value, 10, 64)
	}
	return 0, strconv.ErrSyntax
}

func parseSize(value any) (int64, error) {
	if n, ok := value.(int64); ok {
		return n, nil
	}
	s, ok := value.(string)
	if !ok {
		return 0, strconv.ErrSyntax
	}
	if s == "" {
		return 0, nil
	}
	s, unit := strings.TrimSuffix(strings.ToLower(s), "b"), int64(1000)
	if binary, ok := strings.CutSuffix(s, "i"); ok {
		s, unit = binary, 1024
	}
	factor := int64(1)
	if s != "" {
		for range strings.IndexByte("kmgt", s[len(s)-1]) + 1 {
			factor *= unit
		}
		if factor > 1 {
			s = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n > math.MaxInt64/factor || n < math.MinInt64/factor {
		return 0, strconv.ErrSyntax
	}
	return n * factor, nil
}
