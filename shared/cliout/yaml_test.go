package cliout_test

import (
	"bytes"
	"testing"

	"github.com/podsuite/podsuite/shared/cliout"
)

func TestYAML(t *testing.T) {
	v := map[string]any{
		"b": []string{"x", "z"}, "a": map[string]any{"count": 1, "empty": map[string]any{}, "none": nil, "list": []string{}},
		"text": "one\ntwo\n", "bare": "one\ntwo", "number": "12", "yes": "true", "colon": "a: b", "quote": "it's # here", "blank": "", "path": "/a:b",
		"objects": []map[string]any{{"k": "v", "l": []int{1}}},
	}
	var b bytes.Buffer
	if err := cliout.YAML(&b, v); err != nil {
		t.Fatal(err)
	}
	want := `a:
  count: 1
  empty: {}
  list: []
  none: null
b:
- x
- z
bare: |-
  one
  two
blank: ""
colon: 'a: b'
number: "12"
objects:
- k: v
  l:
  - 1
path: /a:b
quote: 'it''s # here'
text: |
  one
  two
"yes": "true"
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
