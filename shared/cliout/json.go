package cliout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Indentations of the JSON that scripts and people know: lists use four
// spaces, inspect of containers five.
const (
	IndentList    = 4
	IndentInspect = 5
)

// JSON writes v as JSON and a newline; indent is the number of spaces per
// level (IndentList when left out, 0 for one line). HTML characters stay
// as they are.
func JSON(w io.Writer, v any, indent ...int) error {
	spaces := IndentList
	if len(indent) > 0 {
		spaces = indent[0]
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", strings.Repeat(" ", spaces))
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode as JSON: %w", err)
	}
	_, err := w.Write(buf.Bytes())
	return err
}
