package image

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/spf13/cobra"
)

func imagesForTest() []engine.Image {
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	return []engine.Image{
		{Image: store.Image{ID: "c" + id[1:], Names: []string{"localhost/b:v2", "localhost/a:v1"}, Created: at(3)}, Size: 2000},
		{Image: store.Image{ID: "b" + id[1:], Created: at(2)}, Size: 3000},
		{Image: store.Image{ID: "a" + id[1:], Names: []string{"h:5000/x@sha256:" + id, "h:5000/x:t", "h:5000/y@sha256:" + id}, Created: at(1)}, Size: 1000},
	}
}

func TestRows(t *testing.T) {
	for _, test := range []struct {
		flags listFlags
		want  []string
	}{
		{listFlags{sort: "created"}, []string{"localhost/b:v2", "localhost/a:v1", "<none>:<none>", "h:5000/x:t", "h:5000/y:<none>"}},
		{listFlags{sort: "repository"}, []string{"<none>:<none>", "h:5000/x:t", "h:5000/y:<none>", "localhost/a:v1", "localhost/b:v2"}},
		{listFlags{sort: "tag"}, []string{"<none>:<none>", "h:5000/y:<none>", "h:5000/x:t", "localhost/a:v1", "localhost/b:v2"}},
		{listFlags{sort: "id"}, []string{"h:5000/x:t", "h:5000/y:<none>", "<none>:<none>", "localhost/b:v2", "localhost/a:v1"}},
		{listFlags{sort: "size"}, []string{"h:5000/x:t", "h:5000/y:<none>", "localhost/b:v2", "localhost/a:v1", "<none>:<none>"}},
		{listFlags{sort: "created", quiet: true}, []string{"<none>:<none>", "<none>:<none>", "<none>:<none>"}},
	} {
		var failed error
		rows := test.flags.rows(imagesForTest(), &failed)
		less, err := test.flags.order(new(cobra.Command))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortStableFunc(rows, less)
		var got []string
		for _, r := range rows {
			got = append(got, r.Repository()+":"+r.Tag())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v:\ngot  %v\nwant %v", test.flags, got, test.want)
		}
	}
	if _, err := (&listFlags{sort: "bogus"}).order(new(cobra.Command)); err == nil {
		t.Error("a bogus order was taken")
	}
}

func TestColumns(t *testing.T) {
	const id = "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, test := range []struct {
		flags listFlags
		want  string
	}{
		{listFlags{quiet: true}, "c" + id[:11] + "\nb" + id[:11] + "\na" + id[:11] + "\n"},
		{listFlags{format: "{{.Repository}} {{.Size}}"}, "localhost/b 2 kB\nlocalhost/a 2 kB\n<none> 3 kB\nh:5000/x 1 kB\nh:5000/y 1 kB\n"},
		{listFlags{format: "{{.ID}}", noTrunc: true, quiet: true}, "sha256:c" + id + "\nsha256:b" + id + "\nsha256:a" + id + "\n"},
	} {
		var failed error
		var out bytes.Buffer
		rows := test.flags.rows(imagesForTest(), &failed)
		if err := cliout.Rows(&out, test.flags.layout(rows), "", headings(), rows, cliout.RowsOptions{}); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%+v:\ngot\n%swant\n%s", test.flags, out.String(), test.want)
		}
	}
}

func TestRemoveStatus(t *testing.T) {
	gone := errdef.Newf(errdef.ErrNotFound, "gone")
	busy := errdef.Newf(errdef.ErrBusy, "busy")
	other := errors.New("other")
	for _, test := range []struct {
		errs []error
		want int
	}{{nil, 0}, {[]error{gone}, 1}, {[]error{busy}, 2}, {[]error{gone, busy}, 2}, {[]error{gone, other}, 125}, {[]error{other, busy}, 2}} {
		if got := errdef.ExitCode(removeStatus(test.errs), 0); got != test.want {
			t.Errorf("%v: status %d, want %d", test.errs, got, test.want)
		}
	}
}

func TestTagLists(t *testing.T) {
	lists := tagLists([]engine.FoundImage{{Name: "a", Tag: "1"}, {Name: "a", Tag: "2"}, {Name: "b", Tag: "3"}})
	if len(lists) != 2 || !slices.Equal(lists[0].Tags, []string{"1", "2"}) || lists[1].Name != "b" {
		t.Errorf("got %+v", lists)
	}
}
