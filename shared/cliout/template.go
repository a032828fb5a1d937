package cliout

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"text/template"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Template writes v through a Go template and ends it with a newline
// (inspect --format); "json" and "" write JSON. name is the command's, for
// errors.
func Template(w io.Writer, name, format string, v any) error {
	switch strings.TrimSpace(format) {
	case "", "json":
		return JSON(w, v, IndentInspect)
	}
	format = unescape(format)
	if !strings.HasPrefix(format, "{{range") && !strings.HasPrefix(format, "{{ range") {
		return templateRows(w, format, reflect.ValueOf([]any{v}), name)
	}
	// A range is over something in the object.
	t, err := parse(name, strings.TrimSuffix(format, "\n")+"\n")
	if err != nil {
		return err
	}
	return execute(w, t, v)
}

// templateRows executes a template once for each element; one that ranges
// over the elements itself is executed once.
func templateRows(w io.Writer, format string, list reflect.Value, name string) error {
	const begin, end = "{{range .}}", "\n{{end -}}"
	whole := format
	if !strings.HasPrefix(format, "{{range") && !strings.HasPrefix(format, "{{ range") {
		whole = begin + strings.TrimSuffix(format, "\n") + end
		// The user's own template first: an error points into it.
		if _, err := parse(name, format); err != nil {
			return err
		}
	}
	t, err := parse(name, whole)
	if err != nil {
		return err
	}
	return execute(w, t, list.Interface())
}

// templateTable is a table whose columns are more than a placeholder each.
func templateTable(w io.Writer, layout string, headers map[string]string, list reflect.Value, opts RowsOptions) error {
	row, err := parse(opts.Name, layout)
	if err != nil {
		return err
	}
	lines := [][]string{nil} // the headings' place
	for i := range list.Len() {
		var buf bytes.Buffer
		if err := execute(&buf, row, list.Index(i).Interface()); err != nil {
			return err
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(buf.String(), "\n"), "\n") {
			lines = append(lines, strings.Split(line, "\t"))
		}
	}
	if opts.NoHeading {
		return Columns(w, lines[1:])
	}
	head, err := headLine(opts.Name, layout, headers, list.Type().Elem())
	if err != nil {
		return err
	}
	lines[0] = strings.Split(head, "\t")
	return Columns(w, lines)
}

// headLine executes the layout on the headings themselves.
func headLine(name, layout string, headers map[string]string, row reflect.Type) (string, error) {
	titles := make(map[string]string, len(headers))
	for i := range row.NumMethod() {
		titles[row.Method(i).Name] = heading(row.Method(i).Name, nil)
	}
	base := row
	if base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	if base.Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(base) {
			titles[f.Name] = heading(f.Name, nil)
		}
	}
	for k, v := range headers {
		titles[k] = v
	}
	t, err := parse(name, layout)
	if err != nil {
		return "", err
	}
	// Headings are plain text: the functions that shape values leave them be.
	t = t.Funcs(template.FuncMap{"json": asText, "lower": asText, "title": asText}).Option("missingkey=error")
	var buf bytes.Buffer
	err = execute(&buf, t, titles)
	return buf.String(), err
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// ParseTemplate reads a user's template for values that come one by one. name
// is the command's, for errors.
func ParseTemplate(name, format string) (*template.Template, error) {
	return parse(name, unescape(format))
}

func parse(name, format string) (*template.Template, error) {
	t, err := template.New(name).Funcs(functions()).Parse(format)
	return t, errdef.As(errdef.ErrInvalid, err)
}

func execute(w io.Writer, t *template.Template, v any) error {
	var buf bytes.Buffer
	if err := t.Execute(&buf, v); err != nil {
		return errdef.As(errdef.ErrInvalid, err)
	}
	_, err := w.Write(buf.Bytes())
	return err
}

// functions are what the users of container tools have in their templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			var buf bytes.Buffer
			enc := json.NewEncoder(&buf)
			enc.SetEscapeHTML(false)
			err := enc.Encode(v)
			return strings.TrimSuffix(buf.String(), "\n"), err
		},
		"join":  func(list []string, sep string) string { return strings.Join(list, sep) },
		"lower": strings.ToLower,
		"upper": strings.ToUpper,
		"split": strings.Split,
		"title": func(s string) string {
			if s == "" {
				return s
			}
			return strings.ToUpper(s[:1]) + s[1:]
		},
		"pad": func(s string, before, after int) string {
			if s == "" {
				return s
			}
			return strings.Repeat(" ", before) + s + strings.Repeat(" ", after)
		},
		"truncate": func(s string, n int) string {
			if r := []rune(s); n >= 0 && len(r) > n {
				return string(r[:n])
			}
			return s
		},
	}
}
