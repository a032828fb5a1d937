package network

import (
	"errors"
	"slices"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
)

func TestMergePorts(t *testing.T) {
	for _, c := range []struct{ specs, want []string }{
		{[]string{"8080:80", "8080:80"}, []string{"8080:80"}},
		{[]string{"8080-8082:80-82", "8081:81"}, []string{"8080-8082:80-82"}},
		{[]string{"8080-8081:80-81", "8083-8084:83-84", "8081-8083:81-83"}, []string{"8080-8084:80-84"}},
		{[]string{"8080:80", "8081:81"}, []string{"8080:80", "8081:81"}},
		{[]string{"8080:80", "8080:80/udp"}, []string{"8080:80", "8080:80/udp"}},
		{[]string{"127.0.0.1:8080:80", "8080:80"}, []string{"127.0.0.1:8080:80", "8080:80"}},
		{[]string{"80", "80"}, []string{"80", "80"}},
		{[]string{"8080-8082:80-82", "8081:90"}, nil},
		{[]string{"8080:80", "8080:81"}, nil},
	} {
		ports, err := ParsePorts(c.specs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := MergePorts(ports)
		if c.want == nil {
			if !errors.Is(err, errdef.ErrInvalid) {
				t.Errorf("%v: got %v, %v", c.specs, got, err)
			}
			continue
		}
		if want, _ := ParsePorts(c.want); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: got %v, %v, want %v", c.specs, got, err, want)
		}
	}
}

func TestUnpublished(t *testing.T) {
	exposed, err := ParseExposed([]string{"80-82/TCP", "81", "53/udp", "82/"})
	if err != nil {
		t.Fatal(err)
	}
	published, _ := ParsePorts([]string{"8081:81"})
	var got []string
	for _, p := range Unpublished(exposed, published) {
		got = append(got, p.Exposed())
	}
	if want := []string{"80/tcp", "82/tcp", "53/udp"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"", "0", "82-80", "8080:80", "80/icmp", "x"} {
		if _, err := ParseExposed([]string{bad}); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
