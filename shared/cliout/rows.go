package cliout

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/podsuite/podsuite/shared/errdef"
)

// RowsOptions adjusts Rows.
type RowsOptions struct {
	// NoHeading leaves a table's first line out.
	NoHeading bool
	// Name stands in the errors of a user's template: the command's name.
	Name string
	// JSON is what --format json prints instead of the rows themselves.
	JSON any
}

// Rows writes a slice of rows as the user asked for it:
//
//	""           defaultTable, in the form "table {{.ID}}\t{{.Names}}"
//	"json"       the rows (or opts.JSON) as JSON
//	"table …"    columns of the user's choice, with headings
//	other        a Go template, executed and ended with a newline for each row
//
// A placeholder names a field or a method of the row that takes no argument.
// headers gives a placeholder's heading where it isn't the name in capitals
// ("CreatedAt" is "CREATED AT" by itself).
func Rows(w io.Writer, format, defaultTable string, headers map[string]string, rows any, opts RowsOptions) error {
	list := reflect.ValueOf(rows)
	if list.Kind() != reflect.Slice {
		return fmt.Errorf("print rows: %T is not a slice", rows)
	}
	format = unescape(strings.TrimSpace(format))
	switch {
	case format == "json":
		if opts.JSON != nil {
			return JSON(w, opts.JSON)
		}
		return JSON(w, rows)
	case format == "" || format == "table":
		format = defaultTable
	}
	if layout, isTable := strings.CutPrefix(format, "table"); isTable && (layout == "" || layout[0] == ' ' || layout[0] == '\t') {
		return table(w, strings.TrimSpace(layout), headers, list, opts)
	}
	return templateRows(w, format, list, opts.Name)
}

// unescape turns the \t and \n that a shell's single quotes keep into what
// they stand for.
func unescape(format string) string {
	if !strings.Contains(format, `\`) {
		return format
	}
	return strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(format)
}

func table(w io.Writer, layout string, headers map[string]string, list reflect.Value, opts RowsOptions) error {
	// Between placeholders a space separates columns as a tab does.
	layout = strings.ReplaceAll(layout, "}} {{", "}}\t{{")
	names, simple := placeholders(layout)
	if !simple {
		return templateTable(w, layout, headers, list, opts)
	}
	cells := make([][]string, 0, list.Len()+1)
	if !opts.NoHeading {
		head := make([]string, len(names))
		for i, name := range names {
			head[i] = heading(name, headers)
		}
		cells = append(cells, head)
	}
	get, err := getters(list.Type().Elem(), names, opts.Name)
	if err != nil {
		return err
	}
	for i := range list.Len() {
		line := make([]string, len(names))
		for c := range names {
			line[c] = get[c](list.Index(i))
		}
		cells = append(cells, line)
	}
	return Columns(w, cells)
}

// placeholders splits a layout of nothing but {{.Name}} columns; ok is false
// for every other template.
func placeholders(layout string) (names []string, ok bool) {
	for column := range strings.SplitSeq(layout, "\t") {
		inner, isOpen := strings.CutPrefix(column, "{{")
		inner, isClosed := strings.CutSuffix(inner, "}}")
		name, isField := strings.CutPrefix(strings.TrimSpace(inner), ".")
		if !isOpen || !isClosed || !isField || strings.ContainsFunc(name, notIdent) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

func notIdent(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// getters finds how to read each column of a row type, once per table.
func getters(row reflect.Type, names []string, command string) ([]func(reflect.Value) string, error) {
	base := row
	if base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	get := make([]func(reflect.Value) string, len(names))
	for i, name := range names {
		if m, ok := row.MethodByName(name); ok && m.Type.NumIn() == 1 && m.Type.NumOut() == 1 {
			get[i] = func(v reflect.Value) string { return text(v.Method(m.Index).Call(nil)[0]) }
			continue
		}
		if base.Kind() == reflect.Struct {
			if f, ok := base.FieldByName(name); ok {
				get[i] = func(v reflect.Value) string { return text(reflect.Indirect(v).FieldByIndex(f.Index)) }
				continue
			}
		}
		return nil, errdef.Newf(errdef.ErrInvalid, "template: %s: can't evaluate field %s in type %s", command, name, row)
	}
	return get, nil
}

func text(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return v.String()
	}
	return fmt.Sprint(v.Interface())
}

// heading is a placeholder's column title.
func heading(name string, headers map[string]string) string {
	if h, ok := headers[name]; ok {
		return h
	}
	var b strings.Builder
	for i, r := range name {
		isUpper := r >= 'A' && r <= 'Z'
		if isUpper && i > 0 && !(name[i-1] >= 'A' && name[i-1] <= 'Z') {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// Columns writes lines of cells in aligned columns: each column but the last is at least twelve wide,
// two of them blank.
func Columns(w io.Writer, lines [][]string) error {
	const minWidth, gap = 12, 2
	var widths []int
	for _, line := range lines {
		for c, cell := range line {
			if c == len(widths) {
				widths = append(widths, minWidth)
			}
			widths[c] = max(widths[c], utf8.RuneCountInString(cell)+gap)
		}
	}
	var out []byte
	for _, line := range lines {
		for c, cell := range line {
			out = append(out, cell...)
			if c == len(line)-1 {
				break
			}
			for range widths[c] - utf8.RuneCountInString(cell) {
				out = append(out, ' ')
			}
		}
		out = append(out, '\n')
	}
	_, err := w.Write(out)
	return err
}
