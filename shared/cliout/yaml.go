package cliout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// YAML writes v, under its JSON names, as YAML with sorted keys.
func YAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode as YAML: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return fmt.Errorf("encode as YAML: %w", err)
	}
	var b bytes.Buffer
	writeYAML(&b, plain, "")
	_, err = w.Write(b.Bytes())
	return err
}

// writeYAML writes a value that begins on a line of its own.
func writeYAML(b *bytes.Buffer, v any, indent string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(indent + yamlString(key) + ":")
			writeYAMLBehind(b, v[key], indent, indent+"  ")
		}
	case []any:
		for _, element := range v {
			var inner bytes.Buffer
			if isBlock(element) {
				writeYAML(&inner, element, indent+"  ")
				b.WriteString(indent + "- " + strings.TrimPrefix(inner.String(), indent+"  "))
				continue
			}
			b.WriteString(indent + "-")
			writeYAMLBehind(b, element, indent, indent+"  ")
		}
	}
}

func isBlock(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

// writeYAMLBehind writes a value behind its key. Lists stand as far left as
// their key, maps deeper.
func writeYAMLBehind(b *bytes.Buffer, v any, indent, deeper string) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteByte('\n')
		writeYAML(b, v, deeper)
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteByte('\n')
		writeYAML(b, v, indent)
	case string:
		if text := strings.TrimSuffix(v, "\n"); strings.Contains(text, "\n") && !strings.HasPrefix(text, " ") {
			chomp := "|-"
			if text != v {
				chomp = "|"
			}
			b.WriteString(" " + chomp + "\n" + deeper + strings.ReplaceAll(text, "\n", "\n"+deeper) + "\n")
			return
		}
		b.WriteString(" " + yamlString(v) + "\n")
	case nil:
		b.WriteString(" null\n")
	default:
		fmt.Fprintf(b, " %v\n", v)
	}
}

// yamlString quotes a text that would be read as something else.
func yamlString(s string) string {
	if s == "" {
		return `""`
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "~", "y", "n":
		return strconv.Quote(s)
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return strconv.Quote(s)
	}
	plain := !strings.ContainsAny(s[:1], "-?:,[]{}#&*!|>'\"%@` ") && !strings.Contains(s, ": ") && !strings.Contains(s, " #") &&
		!strings.HasSuffix(s, ":") && !strings.HasSuffix(s, " ") && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
	switch {
	case plain:
		return s
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return strconv.Quote(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
