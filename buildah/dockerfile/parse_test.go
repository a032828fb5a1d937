package dockerfile

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
)

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("Cf", []byte(text))
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return f
}

func step(t *testing.T, text string) Step {
	t.Helper()
	return parse(t, "FROM x\n"+text+"\n").Stages[0].Steps[0]
}

func TestInstructions(t *testing.T) {
	str := func(s string) *string { return &s }
	for _, test := range []struct {
		text string
		want Instruction
	}{
		{`RUN echo "a  b"`, &Run{Command: Command{Args: []string{`echo "a  b"`}, Shell: true}}},
		{`RUN ["a", "b c"]`, &Run{Command: Command{Args: []string{"a", "b c"}}}},
		{"run a \\\n  # comment\n  b", &Run{Command: Command{Args: []string{"a   b"}, Shell: true}}},
		{`RUN --network=none x`, &Run{Command: Command{Args: []string{"x"}, Shell: true}, Network: "none"}},
		{`ENV a=1 b="2 3"`, &Env{[]Pair{{"a", "1"}, {"b", `"2 3"`}}}},
		{`ENV a some  value`, &Env{[]Pair{{"a", "some  value"}}}},
		{`ARG a b=c d=`, &Arg{[]ArgValue{{"a", nil}, {"b", str("c")}, {"d", str("")}}}},
		{`LABEL a=b`, &Label{[]Pair{{"a", "b"}}}},
		{`COPY --from=x --chown=1:2 --chmod=600 a b c/`, &Copy{Sources: []string{"a", "b"}, Dest: "c/", From: "x", Chown: "1:2", Chmod: "600"}},
		{`ADD ["a b", "c"]`, &Copy{Add: true, Sources: []string{"a b"}, Dest: "c"}},
		{`CMD a b`, &Cmd{Command{Args: []string{"a b"}, Shell: true}}},
		{`ENTRYPOINT ["a"]`, &Entrypoint{Command{Args: []string{"a"}}}},
		{`EXPOSE 80 443/udp`, &Expose{[]string{"80", "443/udp"}}},
		{`VOLUME ["/a", "/b"]`, &Volume{[]string{"/a", "/b"}}},
		{`USER a:b`, &User{"a:b"}},
		{`WORKDIR /a b`, &Workdir{"/a b"}},
		{`STOPSIGNAL SIGINT`, &StopSignal{"SIGINT"}},
		{`SHELL ["a", "-c"]`, &Shell{[]string{"a", "-c"}}},
		{`MAINTAINER a b`, &Maintainer{"a b"}},
		{`HEALTHCHECK NONE`, &Healthcheck{None: true}},
		{`HEALTHCHECK --retries=3 CMD a b`, &Healthcheck{Command: Command{Args: []string{"a b"}, Shell: true}, Retries: 3}},
		{`ONBUILD RUN a`, &OnBuild{"RUN a"}},
		{"COPY <<a <<\"b\" /d/\n$x\na\n$y\nb", &Copy{Dest: "/d/", Heredocs: []Heredoc{
			{Name: "a", Expand: true, Content: "$x\n"}, {Name: "b", Content: "$y\n"}}}},
		{"RUN <<-E\n\tx\n\tE", &Run{Command: Command{Args: []string{"<<-E"}, Shell: true},
			Heredocs: []Heredoc{{Name: "E", Expand: true, Chomp: true, Content: "x\n"}}}},
		{`RUN --mount=type=cache,target=/c,sharing=locked,mode=0700 x`, &Run{Command: Command{Args: []string{"x"}, Shell: true},
			Mounts: []Mount{{Type: "cache", Target: "/c", Sharing: "locked", Mode: 0o700}}}},
		{`RUN --mount=type=secret,id=s,required x`, &Run{Command: Command{Args: []string{"x"}, Shell: true},
			Mounts: []Mount{{Type: "secret", ID: "s", Target: "/run/secrets/s", Sharing: "shared", Required: true}}}},
	} {
		if got := step(t, test.text).Inst; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.text, got, test.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"RUN true\n", `reading multiple stages: stage 1 requires a FROM instruction ("")`},
		{"FROM\n", "reading multiple stages: FROM requires an argument"},
		{"FROM a b\n", "Cf:1: FROM requires either one or three arguments: FROM <source> [AS <name>]"},
		{"ARG X\n", "determining starting point for build: no FROM statement found"},
		{" \n", `no contents in "Cf"`},
		{"FROM x\nENV\n", `building at STEP "ENV ": ENV requires at least one argument`},
		{"FROM x\nENV a\n", "parsing main Dockerfile: Cf: ENV must have two arguments"},
		{"FROM x\nADD x\n", `building at STEP "ADD x": ADD requires at least two arguments`},
		{"FROM x\nBOGUS x\n", `building at STEP "BOGUS ": Build error: Unknown instruction: "BOGUS"`},
		{"FROM x\nHEALTHCHECK bogus\n", `building at STEP "HEALTHCHECK bogus": Unknown type "BOGUS" in HEALTHCHECK (try CMD)`},
		{"FROM x\nSHELL sh\n", `building at STEP "SHELL sh": SHELL requires the arguments to be in JSON form`},
		{"FROM x\nONBUILD FROM y\n", `building at STEP "ONBUILD from y": FROM isn't allowed as an ONBUILD trigger`},
		{"FROM x\nRUN <<EOF\na\n", "parsing main Dockerfile: Cf: EOF: unterminated heredoc"},
		{"FROM x\n\nRUN --devices=a b\n", "Cf:3: RUN does not take the option --devices"},
		{"FROM x\nRUN --mount=type=cache b\n", "Cf:2: RUN --mount: type=cache needs a target"},
	} {
		_, err := Parse("Cf", []byte(test.text))
		if err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %s", test.text, err, test.want)
			continue
		}
		if !errors.Is(err, errdef.ErrInvalid) && !errors.Is(err, errdef.ErrUnsupported) {
			t.Errorf("%q: %v has no class", test.text, err)
		}
	}
}

func TestText(t *testing.T) {
	s := step(t, "RUN <<X cat\na\nb\nX")
	if got, want := s.Text(), "RUN <<X cat (a...)"; got != want {
		t.Errorf("Text: %q, want %q", got, want)
	}
}

func TestPlan(t *testing.T) {
	f := parse(t, `ARG V=1
FROM base:${V} AS a
FROM x AS unused
FROM A AS b
FROM scratch
COPY --from=b /x /
COPY --from=0 /x /
COPY --from=image /x /
RUN --mount=type=bind,from=a,target=/m true
`)
	plan, err := f.Plan(PlanOptions{Args: map[string]string{"V": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, s := range plan.Stages {
		got = append(got, s.Index)
	}
	if want := []int{0, 2, 3}; !reflect.DeepEqual(got, want) {
		t.Errorf("stages %v, want %v", got, want)
	}
	a, b, last := plan.Stages[0], plan.Stages[1], plan.Stages[2]
	if a.Image != "base:2" || !a.Committed {
		t.Errorf("a: image %q, committed %t", a.Image, a.Committed)
	}
	if b.Parent != 0 || b.Image != "" || b.Committed {
		t.Errorf("b: parent %d, image %q, committed %t", b.Parent, b.Image, b.Committed)
	}
	if want := []int{0, 2}; !reflect.DeepEqual(last.Needs, want) || !last.Committed {
		t.Errorf("last needs %v, want %v", last.Needs, want)
	}
	if _, err := f.Plan(PlanOptions{Target: "nosuch"}); err == nil || !strings.Contains(err.Error(), `the target "nosuch" was not found`) {
		t.Errorf("target nosuch: %v", err)
	}
	if plan, err = f.Plan(PlanOptions{Target: "1"}); err != nil || len(plan.Stages) != 1 {
		t.Errorf("target 1: %v, %v", plan, err)
	}
}

func TestExpand(t *testing.T) {
	vars := Vars{"a": "1 2", "e": ""}
	for _, test := range []struct{ word, want string }{
		{"$a/x", "1 2/x"}, {"'$a'", "$a"}, {`"$a"`, "1 2"}, {`\$a`, "$a"}, {"${e:-d}", "d"}, {"${a:+d}", "d"}, {"$nosuch", ""},
	} {
		if got, err := (Expander{}).Word(test.word, vars); err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", test.word, got, err, test.want)
		}
	}
	if got, _ := (Expander{}).Words("$a 3", vars); !reflect.DeepEqual(got, []string{"1", "2", "3"}) {
		t.Errorf("Words: %q", got)
	}
	if got, _ := (Expander{}).Heredoc(Heredoc{Expand: true, Content: `"$a"`}, vars); got != `"1 2"` {
		t.Errorf("Heredoc: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FROM x AS y\nARG a=b\nENV $a=c d=e\nCOPY --from=y <<E /x\nt\nE\n")
	f.Add("# escape=`\nFROM x\nRUN --mount=type=bind,from=a,target=/b [\"c\"]\nONBUILD HEALTHCHECK --retries=1 CMD x\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("Cf", []byte(text))
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without a text")
			}
			return
		}
		for _, s := range file.Stages {
			for i := range s.Steps {
				_ = s.Steps[i].Text()
			}
		}
		if plan, err := file.Plan(PlanOptions{}); err == nil {
			for _, s := range plan.Stages {
				for _, n := range s.Needs {
					if n >= s.Index {
						t.Errorf("stage %d needs %d, which comes after it", s.Index, n)
					}
				}
			}
		}
	})
}
