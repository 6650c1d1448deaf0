// Conformance runs GDB's own test suite against rspd and says, test by test,
// what differs from GNU gdbserver.
//
// The suite is that of the installed gdb's version. It is fetched by apt into
// a cache directory and is no part of this repository. What rspd is held to is
// one of three: a fresh run of the gdbserver on this machine, results kept from
// an earlier run (-baseline), or the list of what is known to pass (-expect).
// A file that falls short is run again by itself before it is called wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

var boards = []string{"native-gdbserver", "native-extended-gdbserver", "native-stdio-gdbserver"}

// wholePatterns are the directories whose tests a server takes part in. Those
// of tracepoints are left out.
var wholePatterns = []string{"gdb.base/*.exp", "gdb.multi/*.exp", "gdb.server/*.exp", "gdb.threads/*.exp"}

type options struct {
	server, peer, board, cache, source string
	baseline, expect, exceptions       string
	record                             bool
	jobs, again                        int
	limit                              time.Duration
	patterns                           []string
}

func main() {
	o := options{}
	flag.StringVar(&o.server, "server", "build/rspd", "the `program` to be tested")
	flag.StringVar(&o.peer, "peer", "gdbserver", "the `program` whose fresh run it is held to")
	flag.StringVar(&o.board, "board", boards[0], "the `board`: "+strings.Join(boards, ", "))
	flag.StringVar(&o.cache, "cache", "", "the `directory` of the suite and of its logs (default: one in the user's cache)")
	flag.StringVar(&o.source, "source", "", "an unpacked source `tree` of GDB, instead of fetching one")
	flag.StringVar(&o.baseline, "baseline", "", "hold it to the results in this .sum or .sum.xz `file`")
	flag.StringVar(&o.expect, "expect", "", "hold it to the list in this `file`, which names the tests too; if it is of another version of the suite, to the peer")
	flag.BoolVar(&o.record, "record", false, "write what passes to the file of -expect, for its files and those that are given")
	flag.StringVar(&o.exceptions, "exceptions", "test/conformance/exceptions.txt", "the `file` with the tests that need not pass")
	flag.IntVar(&o.jobs, "j", runtime.NumCPU(), "how many files run at a time")
	flag.IntVar(&o.again, "again", 1, "how many `times` a file that falls short is run again by itself")
	flag.DurationVar(&o.limit, "limit", 20*time.Minute, "how long one file may take")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: conformance [OPTIONS] [PATTERN...]   such as gdb.base/break*.exp; default: "+strings.Join(wholePatterns, " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	o.patterns = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.conform(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// conform runs the suite and reports. It fails if the server falls short.
func (o *options) conform(ctx context.Context) error {
	if !slices.Contains(boards, o.board) {
		return fmt.Errorf("-board %s: want one of %s", o.board, strings.Join(boards, ", "))
	}
	if o.jobs < 1 || o.again < 1 {
		return errors.New("-j and -again begin at 1")
	}
	if o.record && o.expect == "" {
		return errors.New("-record needs the file's name by -expect")
	}
	if o.cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("%w; or give -cache", err)
		}
		o.cache = filepath.Join(user, "rspd-conformance")
	}
	cache, err := filepath.Abs(o.cache)
	if err != nil {
		return err
	}
	exceptions, err := parseFile(o.exceptions, func(r io.Reader) (Exceptions, error) { return parseExceptions(r, o.board) })
	if err != nil {
		return err
	}
	source, err := findSource(ctx, o.source, cache)
	if err != nil {
		return err
	}
	var expectation *Expectation
	patterns := o.patterns
	if o.expect != "" {
		expectation, err = parseFile(o.expect, parseExpectation)
		switch {
		case err == nil:
			patterns = append(patterns, expectation.Files...)
		case !o.record || !errors.Is(err, os.ErrNotExist):
			return err
		}
	} else if len(patterns) == 0 {
		patterns = wholePatterns
	}
	files, err := source.expand(patterns)
	if err != nil {
		return err
	}

	ours, err := o.suite(ctx, source, cache, o.server)
	if err != nil {
		return err
	}
	if o.record {
		return o.rewrite(ctx, source, ours, files)
	}
	report := &Report{Ours: filepath.Base(o.server), Files: len(files), Known: map[Test]string{}}
	var judge func(file string, results []Result) (short, better []Difference)
	var peers *Suite // what can be asked again, if anything
	switch {
	case expectation != nil && expectation.Version == source.Version && expectation.Board == o.board:
		report.Peers = "the list"
		judge = func(file string, results []Result) (short, better []Difference) {
			return expectation.shortfall(file, results, exceptions), nil
		}
	default:
		if o.baseline == "" || o.canAskPeer() {
			if peers, err = o.suite(ctx, source, cache, o.peer); err != nil {
				return err
			}
		}
		wanted, err := o.wanted(ctx, source, peers, files, report)
		if err != nil {
			return err
		}
		judge = func(file string, results []Result) (short, better []Difference) {
			return compare(results, wanted[file])
		}
	}

	fmt.Printf("%s, %d files, board %s, suite of GDB %s\n", version(ours.Server), len(files), o.board, source.Version)
	runs, err := o.run(ctx, ours, files)
	if err != nil {
		return err
	}
	if err := writeSum(filepath.Join(ours.Dir, "results.sum"), runs); err != nil {
		return err
	}
	for _, run := range runs {
		report.Passes += passes(run.Results)
		if run.Err != nil {
			report.Broken = append(report.Broken, run.Err.Error())
		}
		report.Unused = append(report.Unused, unused(exceptions, run.Results)...)
		short, better := judge(run.File, run.Results)
		report.Better = append(report.Better, better...)
		unexplained := false
		for _, difference := range short {
			if reason, known := exceptions.reason(difference.Test); known {
				report.Known[difference.Test] = reason
				report.Findings = append(report.Findings, Finding{Difference: difference})
			} else {
				unexplained = true
			}
		}
		if !unexplained {
			continue
		}
		fmt.Printf("again %s\n", run.File)
		short = slices.DeleteFunc(short, func(d Difference) bool { _, known := report.Known[d.Test]; return known })
		findings, err := ours.settle(ctx, run.File, short, o.again, func(results []Result) []Difference {
			short, _ := judge(run.File, results)
			return short
		})
		if err != nil {
			return err
		}
		report.Findings = append(report.Findings, findings...)
	}
	if left := report.pick(wrong); len(left) > 0 && peers != nil {
		if err := peers.askPeer(ctx, left); err != nil {
			return err
		}
	}
	if err := report.write(os.Stdout); err != nil {
		return err
	}
	report.Whole = true
	if err := writeFile(filepath.Join(ours.Dir, "report.txt"), report.write); err != nil {
		return err
	}
	fmt.Printf("all of it is in %s, beside the results and logs\n", filepath.Join(ours.Dir, "report.txt"))
	return report.err()
}

// parseFile opens a file and parses it.
func parseFile[T any](path string, parse func(io.Reader) (T, error)) (T, error) {
	var none T
	file, err := os.Open(path)
	if err != nil {
		return none, err
	}
	defer file.Close()
	value, err := parse(file)
	if err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	return value, nil
}

// suite configures the suite for a server.
func (o *options) suite(ctx context.Context, source *Source, cache, server string) (*Suite, error) {
	path, err := exec.LookPath(server)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	s := &Suite{
		Dir:    filepath.Join(cache, "runs", filepath.Base(path)+"."+o.board),
		Server: path, Board: o.board, Limit: o.limit,
	}
	return s, s.configure(ctx, source)
}

// canAskPeer says whether the peer of a baseline is on this machine, and is not
// the very server that is tested.
func (o *options) canAskPeer() bool {
	path, err := exec.LookPath(o.peer)
	return err == nil && filepath.Base(path) != filepath.Base(o.server)
}

// wanted returns by file what the server is held to: what the baseline has, or
// what the peer makes of the files now.
func (o *options) wanted(ctx context.Context, source *Source, suite *Suite, files []string, report *Report) (map[string][]Result, error) {
	var results []Result
	if o.baseline != "" {
		report.Peers = filepath.Base(o.baseline)
		var err error
		if results, err = readSum(o.baseline); err != nil {
			return nil, err
		}
	} else {
		report.Peers = filepath.Base(o.peer)
		fmt.Printf("%s, %d files, board %s, suite of GDB %s\n", version(suite.Server), len(files), o.board, source.Version)
		runs, err := o.run(ctx, suite, files)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(suite.Dir, "results.sum")
		if err := writeSum(path, runs); err != nil {
			return nil, err
		}
		fmt.Printf("its results are in %s, for -baseline\n\n", path)
		for _, run := range runs {
			results = append(results, run.Results...)
		}
	}
	found := byFile(results)
	chosen := map[string][]Result{}
	for _, file := range files {
		chosen[file] = found[file]
		report.PeerPasses += passes(found[file])
	}
	if report.PeerPasses == 0 {
		return nil, fmt.Errorf("%s passes nothing in these files, so that nothing could be compared", report.Peers)
	}
	return chosen, nil
}

// run runs the files, tells how each went, and returns the runs sorted by file.
func (o *options) run(ctx context.Context, suite *Suite, files []string) ([]FileRun, error) {
	var runs []FileRun
	begin := time.Now()
	err := suite.runAll(ctx, files, o.jobs, func(run FileRun) {
		runs = append(runs, run)
		bad := 0
		for _, result := range run.Results {
			if result.Outcome.bad() {
				bad++
			}
		}
		remark := ""
		if bad > 0 {
			remark = fmt.Sprintf(", %d failed", bad)
		}
		if run.Err != nil {
			remark += ", " + strings.SplitN(run.Err.Error(), "\n", 2)[0]
		}
		fmt.Printf("%4d/%d %s %d passed%s, %.1f s\n", len(runs), len(files), run.File, passes(run.Results), remark, run.Took.Seconds())
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(runs, func(a, b FileRun) int { return strings.Compare(a.File, b.File) })
	fmt.Printf("took %v\n", time.Since(begin).Round(time.Second))
	return runs, nil
}

// rewrite runs the files and writes what passes as what is expected.
func (o *options) rewrite(ctx context.Context, source *Source, suite *Suite, files []string) error {
	runs, err := o.run(ctx, suite, files)
	if err != nil {
		return err
	}
	expectation := &Expectation{Version: source.Version, Board: o.board, Passes: map[string]int{}}
	for _, run := range runs {
		if run.Err != nil {
			return run.Err
		}
		count := passes(run.Results)
		if count == 0 {
			return fmt.Errorf("%s: nothing passed", run.File)
		}
		expectation.Files = append(expectation.Files, run.File)
		expectation.Passes[run.File] = count
	}
	return writeFile(o.expect, expectation.write)
}

// writeFile writes a file by a function.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// readSum reads a .sum file, which may be compressed by xz.
func readSum(path string) ([]Result, error) {
	if !strings.HasSuffix(path, ".xz") {
		return parseFile(path, parseSum)
	}
	text, err := exec.Command("xz", "-dc", "--", path).Output()
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	return parseSum(strings.NewReader(string(text)))
}

// writeSum keeps the results of runs, so that they can be a baseline.
func writeSum(path string, runs []FileRun) error {
	var text strings.Builder
	for _, run := range runs {
		for _, result := range run.Results {
			fmt.Fprintf(&text, "%s: %s\n", result.Outcome, result.Test)
		}
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

// version returns the first line of what a server says of itself.
func version(server string) string {
	output, err := exec.Command(server, "--version").Output()
	if err != nil {
		return server
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return line
}
