package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"rspd/gdbserver"
)

func defaults(change func(*options)) options {
	o := options{disableRandomization: true, startupWithShell: true, jumpPatches: defaultJumpPatches}
	change(&o)
	return o
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		line string
		want options
	}{
		{":0 prog", defaults(func(o *options) { o.comm, o.program = ":0", []string{"prog"} })},
		{":0 prog --once -x -- a", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"prog", "--once", "-x", "--", "a"}
		})},
		{"- prog", defaults(func(o *options) { o.comm, o.program = "-", []string{"prog"} })},
		{"--once - prog", defaults(func(o *options) { o.comm, o.program, o.once = "-", []string{"prog"}, true })},
		{"-- :0 prog", defaults(func(o *options) { o.comm, o.program = ":0", []string{"prog"} })},
		{"--attach :0 12", defaults(func(o *options) { o.comm, o.attachPID = ":0", 12 })},
		{":0 --attach 12", defaults(func(o *options) { o.comm, o.attachPID = ":0", 12 })},
		{"--attach :0 0x1f", defaults(func(o *options) { o.comm, o.attachPID = ":0", 31 })},
		{"--multi :0", defaults(func(o *options) { o.comm, o.multi = ":0", true })},
		{"--multi --once :0 prog", defaults(func(o *options) {
			o.comm, o.multi, o.once, o.program = ":0", true, true, []string{"prog"}
		})},
		{"--wrapper env -u A -- --once :0 prog", defaults(func(o *options) {
			o.comm, o.once, o.program, o.wrapper = ":0", true, []string{"prog"}, []string{"env", "-u", "A"}
		})},
		{"--once --wrapper a -- --wrapper b -- :0 p", defaults(func(o *options) {
			o.comm, o.once, o.program, o.wrapper = ":0", true, []string{"p"}, []string{"b"}
		})},
		{":0 prog --wrapper", defaults(func(o *options) { o.comm, o.program = ":0", []string{"prog", "--wrapper"} })},
		{"--no-disable-randomization --no-startup-with-shell :0 p", options{comm: ":0", program: []string{"p"}, jumpPatches: defaultJumpPatches}},
		{"--jump-patches=off :0 p", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"p"}
			o.jumpPatches = gdbserver.JumpPatches{}
		})},
		{"--no-startup-with-shell --startup-with-shell :0 p", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"p"}
		})},
		{"--debug :0 p", defaults(func(o *options) {
			o.comm, o.program, o.logging.threads = ":0", []string{"p"}, true
		})},
		{"--debug=all,-event-loop --debug-format=timestamp --debug-file=/x=y :0 p", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"p"}
			o.logging = loggingOptions{threads: true, remote: true, timestamps: true, file: "/x=y"}
		})},
		{"--remote-debug --event-loop-debug --debug-format=all,none :0 p", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"p"}
			o.logging = loggingOptions{remote: true, eventLoop: true}
		})},
		{"--disable-packet=vCont,T --disable-packet=qC, :0 p", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"p"}
			o.disabled = disabledPackets{vCont: true, stopReplyT: true, qC: true}
		})},
		{"--disable-packet=threads :0 p", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"p"}
			o.disabled = disabledPackets{vCont: true, stopThread: true, qC: true, qfThreadInfo: true}
		})},
		{"--disable-packet=Tthread,qfThreadInfo :0 p", defaults(func(o *options) {
			o.comm, o.program = ":0", []string{"p"}
			o.disabled = disabledPackets{stopThread: true, qfThreadInfo: true}
		})},
	} {
		got, end := parseOptions(strings.Fields(c.line))
		if end != nil {
			t.Errorf("%s: ended with %+v", c.line, *end)
		} else if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.line, got, c.want)
		}
	}
}

func TestEndings(t *testing.T) {
	useError := func(sentence string) ending { return ending{stderr: sentence + "\n" + usageText, status: 1} }
	line := func(text string) ending { return ending{stderr: text + "\n", status: 1} }
	for _, c := range []struct {
		line string
		want ending
	}{
		{"", useError("COMM is missing: where does the client connect?")},
		{"--once", useError("COMM is missing: where does the client connect?")},
		{":0", useError("PROG is missing: name a program to run, or use --attach or --multi.")},
		{"--attach :0", useError("--attach takes one process ID after COMM.")},
		{"--attach --multi :0", useError("--attach takes one process ID after COMM.")},
		{"--attach :0 1 2", useError("--attach takes one process ID after COMM.")},
		{"--attach :0 abc", useError(`"abc" is not a process ID.`)},
		{"--attach :0 0", useError(`"0" is not a process ID.`)},
		{"--attach :0 -4", useError(`"-4" is not a process ID.`)},
		{"--attach :0 1_0", useError(`"1_0" is not a process ID.`)},
		{"--attach :0 99999999999999999999", useError(`"99999999999999999999" is not a process ID.`)},
		{"--wrapper", useError("--wrapper takes a command and its arguments, ended by a lone --.")},
		{"--wrapper env :0 prog", useError("--wrapper takes a command and its arguments, ended by a lone --.")},
		{"--wrapper -- :0 prog", useError("--wrapper takes a command and its arguments, ended by a lone --.")},
		{"--foo", line("Unknown argument: --foo")},
		{"--foo=bar :0 p", line("Unknown argument: --foo=bar")},
		{"--once=3 :0 p", line("Unknown argument: --once=3")},
		{"--once=true :0 p", line("Unknown argument: --once=true")},
		{"--help=true", line("Unknown argument: --help=true")},
		{"--wrapper=env :0 p", line("Unknown argument: --wrapper=env")},
		{"-h", line("Unknown argument: -h")},
		{"-xyz :0 p", line("Unknown argument: -xyz")},
		{"-x=3 :0 p", line("Unknown argument: -x=3")},
		{"--- :0 p", line("Unknown argument: ---")},
		{"--=x :0 p", line("Unknown argument: --=x")},
		{"--debug-file :0 p", line("Unknown argument: --debug-file")},
		{"--debug-format :0 p", line("Unknown argument: --debug-format")},
		{"--debug-format=xx :0 p", line(`Unknown debug-format argument: "xx"`)},
		{"--debug=xx :0 p", line(`Unknown debug argument: "xx" (all, threads, event-loop and remote are known)`)},
		{"--disable-packet", ending{stdout: disableablePackets}},
		{"--disable-packet=vCont,zz :0 p", line("Don't know how to disable \"zz\".\n\n" + strings.TrimSuffix(disableablePackets, "\n"))},
		{"--version --foo", ending{stdout: versionText()}},
		{"--foo --version", line("Unknown argument: --foo")},
		{"--help", ending{stdout: usageText + helpTail}},
		{"--once --help :0", ending{stdout: usageText + helpTail}},
		{"--selftest", ending{stdout: "Selftests have been disabled for this build.\n", status: 1}},
	} {
		_, got := parseOptions(strings.Fields(c.line))
		if got == nil {
			t.Errorf("%q: did not end", c.line)
		} else if *got != c.want {
			t.Errorf("%q:\n got %+v\nwant %+v", c.line, *got, c.want)
		}
	}
}

// Every option that is accepted is in the help, and the other way round.
func TestHelpNamesEveryOption(t *testing.T) {
	var o options
	var attach bool
	flags := o.flags(&attach)
	for _, word := range strings.FieldsFunc(usageText, func(r rune) bool { return strings.ContainsRune(" \n\t[]=", r) }) {
		if name, ok := strings.CutPrefix(word, "--"); ok && name != "" && name != "wrapper" && flags.Lookup(name) == nil {
			t.Errorf("the help names --%s, which is no option", name)
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "selftest" && !strings.Contains(usageText, "  --"+f.Name) {
			t.Errorf("the help lacks --%s", f.Name)
		}
	})
}

func FuzzOptions(f *testing.F) {
	f.Add("--once :0 prog")
	f.Add("--wrapper env -- --debug=all - p")
	f.Add("--attach :0 0x10")
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, absent) {
			return
		}
		o, end := parseOptions(strings.Split(line, " "))
		if end != nil {
			if end.status != 0 && end.stderr == "" {
				t.Errorf("%q fails without a word", line)
			}
			return
		}
		if len(o.program) == 0 && o.attachPID <= 0 && !o.multi {
			t.Errorf("%q gives nothing to do: %+v", line, o)
		}
	})
}
