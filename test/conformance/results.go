package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// An Outcome is the word that begins a test's line in a .sum file (DejaGnu
// manual, "A POSIX Conforming Test Framework" and runtest's output states).
type Outcome string

// The outcomes that are named in this program. KFAIL, XFAIL, UNTESTED and
// UNSUPPORTED have no name of their own here: they are neither.
const (
	Passed     Outcome = "PASS"
	Failed     Outcome = "FAIL"
	Unresolved Outcome = "UNRESOLVED"
	// Absent stands for a test that the file never came to.
	Absent Outcome = "not run"
)

var outcomes = []Outcome{
	Passed, Failed, Unresolved, "KPASS", "KFAIL", "XPASS", "XFAIL", "UNTESTED", "UNSUPPORTED",
}

// good says whether the test found what it asks for, be it to its surprise.
func (o Outcome) good() bool {
	return o == Passed || o == "KPASS" || o == "XPASS"
}

// bad says whether the test ran and did not find what it asks for.
func (o Outcome) bad() bool {
	return o == Failed || o == Unresolved
}

// A Test is the name of one check: the file that makes it, such as
// gdb.base/break.exp, and what the file calls it. What differs from run to run
// (addresses, process ids, absolute paths) is replaced, and a name that a file
// uses again gets a number, so that two runs have the same tests.
type Test struct {
	File, Name string
}

// String returns the name as a .sum file has it after the outcome.
func (t Test) String() string {
	if t.Name == "" {
		return t.File
	}
	return t.File + ": " + t.Name
}

// A Result is what came of a test.
type Result struct {
	Test    Test
	Outcome Outcome
}

var changing = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`0x[0-9a-f]+`), "ADDRESS"},
	{regexp.MustCompile(`\b(process|Process|pid|PID|attach|Thread) \d+`), "$1 NUMBER"},
	{regexp.MustCompile(`(^|[\s"'=(])/[^\s"')]+`), "${1}PATH"},
}

// parseTest reads what follows the outcome. The file is taken up to .exp
// because a test may lack a name.
func parseTest(text string) (Test, bool) {
	file, name, found := strings.Cut(text, ".exp")
	if !found || !strings.HasPrefix(file, "gdb.") || strings.ContainsAny(file, " \t") {
		return Test{}, false
	}
	name = strings.TrimSpace(strings.TrimPrefix(name, ":"))
	for _, change := range changing {
		name = change.pattern.ReplaceAllString(name, change.replacement)
	}
	return Test{File: file + ".exp", Name: name}, true
}

// parseSum reads the results from a .sum file of one or many runs. Lines that
// are no test's, like ERROR and WARNING, are passed over. It fails only if the
// reader does.
func parseSum(r io.Reader) ([]Result, error) {
	var results []Result
	seen := map[Test]int{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if word, rest, found := strings.Cut(line, ": "); found && slices.Contains(outcomes, Outcome(word)) {
			if test, valid := parseTest(strings.TrimSpace(rest)); valid {
				seen[test]++
				if n := seen[test]; n > 1 {
					test.Name = fmt.Sprintf("%s #%d", test.Name, n)
				}
				results = append(results, Result{Test: test, Outcome: Outcome(word)})
			}
		}
		if err == io.EOF {
			return results, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
	}
}

// byFile puts the results of each file together, in the order they had.
func byFile(results []Result) map[string][]Result {
	files := map[string][]Result{}
	for _, result := range results {
		files[result.Test.File] = append(files[result.Test.File], result)
	}
	return files
}

// passes counts the tests that passed.
func passes(results []Result) int {
	count := 0
	for _, result := range results {
		if result.Outcome.good() {
			count++
		}
	}
	return count
}
