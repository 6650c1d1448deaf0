package main

import "regexp"

// A Difference is a test with what two servers made of it.
type Difference struct {
	Test        Test
	Ours, Peers Outcome
}

// remark is what the suite adds to a name to say how a test went: "(timeout)",
// "(the program exited)", "(pattern 2)". By its convention what stands last in
// parentheses does not belong to the name.
var remark = regexp.MustCompile(` \([^()]*\)( #\d+)?$`)

func (t Test) withoutRemark() Test {
	t.Name = remark.ReplaceAllString(t.Name, "$1")
	return t
}

// compare sets the results of one file with two servers against each other.
// Worse are those that the peer passes and we don't, better the reverse. Names
// are taken literally first; those left over on both sides are then matched
// without their remarks, so that "next (timeout)" is the failure of "next".
func compare(ours, peers []Result) (worse, better []Difference) {
	mine := map[Test]Outcome{}
	for _, result := range ours {
		mine[result.Test] = result.Outcome
	}
	theirs := map[Test]Outcome{}
	for _, result := range peers {
		theirs[result.Test] = result.Outcome
	}
	left := map[Test]Result{}
	for _, result := range ours {
		if _, found := theirs[result.Test]; !found {
			bare := result.Test.withoutRemark()
			if earlier, found := left[bare]; !found || earlier.Outcome.good() {
				left[bare] = result
			}
		}
	}
	matched := map[Test]bool{}
	for _, result := range peers {
		outcome, found := mine[result.Test]
		if !found {
			outcome = Absent
			if other, found := left[result.Test.withoutRemark()]; found {
				outcome = other.Outcome
				matched[other.Test] = true
			}
		}
		difference := Difference{Test: result.Test, Ours: outcome, Peers: result.Outcome}
		switch {
		case result.Outcome.good() && !outcome.good():
			worse = append(worse, difference)
		case outcome.good() && !result.Outcome.good():
			better = append(better, difference)
		}
	}
	for _, result := range ours {
		if _, found := theirs[result.Test]; !found && !matched[result.Test] && result.Outcome.good() {
			better = append(better, Difference{Test: result.Test, Ours: result.Outcome, Peers: Absent})
		}
	}
	return worse, better
}
