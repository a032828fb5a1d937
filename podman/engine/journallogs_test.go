package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestReadJournal(t *testing.T) {
	binary := "MESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00a\nb=c\n"
	text := "__CURSOR=one\n__REALTIME_TIMESTAMP=1764000000000001\nPRIORITY=6\nMESSAGE=x=y\n\n" +
		"__CURSOR=two\nPRIORITY=3\nCONTAINER_PARTIAL_MESSAGE=true\n" + binary + "\n"
	var got []string
	err := readJournal(strings.NewReader(text), func(cursor string, l LogLine) error {
		got = append(got, fmt.Sprintf("%s %s %v %q", cursor, l.Stream, l.Partial, l.Text))
		if cursor == "one" && !l.Time.Equal(time.UnixMicro(1764000000000001)) {
			t.Errorf("the time is %v", l.Time)
		}
		return nil
	})
	want := []string{`one stdout false "x=y"`, `two stderr true "a\nb=c"`}
	if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if err := readJournal(strings.NewReader("MESSAGE\n\xff\xff\xff\xff\xff\x00\x00\x00"), nil); err == nil {
		t.Error("a field of a petabyte was taken")
	}
}
