package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// A FileRun is what one run of a file gave.
type FileRun struct {
	File    string
	Results []Result
	Took    time.Duration
	// Err says that the run was cut off by the limit, or gave nothing.
	Err error
}

// runAll runs the files, up to jobs at a time, and gives each to done as it
// ends. It returns once all have ended or the context has.
func (s *Suite) runAll(ctx context.Context, files []string, jobs int, done func(FileRun)) error {
	waiting := make(chan string)
	ended := make(chan FileRun)
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for file := range waiting {
				begin := time.Now()
				results, err := s.run(ctx, file, false)
				ended <- FileRun{File: file, Results: results, Took: time.Since(begin), Err: err}
			}
		})
	}
	go func() {
		defer close(waiting)
		for _, file := range files {
			select {
			case waiting <- file:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		workers.Wait()
		close(ended)
	}()
	for run := range ended {
		if ctx.Err() == nil {
			done(run)
		}
	}
	return ctx.Err()
}

// A Finding is a test that is not as it should be, and how often it was so when
// its file was run again by itself.
type Finding struct {
	Difference
	Again, Times int
	// PeerToo says that the peer, run again by itself, does no better.
	PeerToo bool
	// Logs is the directory of the first run, Packets that of the last, in
	// which each gdb has left its packets.
	Logs, Packets string
}

// flaky says whether the test was as it should be in one of the further runs.
func (f Finding) flaky() bool {
	return f.Again < f.Times
}

// settle runs a file again by itself, so often as given, to tell what is wrong
// from what is flaky. Its last run keeps the packets. judge says of a run's
// results which tests are not as they should be; those of a run that gave
// nothing are none.
func (s *Suite) settle(ctx context.Context, file string, short []Difference, times int, judge func([]Result) []Difference) ([]Finding, error) {
	logs, err := s.keep(file, "failed")
	if err != nil {
		return nil, err
	}
	again := map[Test]int{}
	packets := ""
	for i := range times {
		results, err := s.run(ctx, file, i == times-1)
		if ctx.Err() != nil {
			return nil, err
		}
		seen := map[Test]bool{}
		for _, difference := range judge(results) {
			seen[difference.Test.withoutRemark()] = true
		}
		for test := range seen {
			again[test]++
		}
		if packets, err = s.keep(file, fmt.Sprintf("again-%d", i+1)); err != nil {
			return nil, err
		}
	}
	var findings []Finding
	for _, difference := range short {
		findings = append(findings, Finding{
			Difference: difference, Again: again[difference.Test.withoutRemark()], Times: times, Logs: logs, Packets: packets,
		})
	}
	return findings, nil
}

// askPeer runs the files of the findings that are left with the peer, whose
// results may come from another day or another machine, and marks those that
// it does not pass now either.
func (s *Suite) askPeer(ctx context.Context, findings []*Finding) error {
	results := map[string][]Result{}
	for _, finding := range findings {
		file := finding.Test.File
		if _, asked := results[file]; !asked {
			fmt.Println("again", file, "with", filepath.Base(s.Server))
			answer, err := s.run(ctx, file, false)
			if ctx.Err() != nil {
				return err
			}
			results[file] = answer
		}
		worse, _ := compare(results[file], []Result{{Test: finding.Test, Outcome: Passed}})
		finding.PeerToo = len(worse) > 0
	}
	return nil
}
