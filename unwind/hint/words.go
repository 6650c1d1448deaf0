package hint

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

// Words reads a hint that a person types: the address of the site, and what else
// is known, in any order:
//
//	length=BYTES  entry=ADDRESS  stub=START,END  return=ADDRESS
//	row=START,END,cfa=RULE[,REGISTER=RULE]...
//
// Numbers are decimal, or hexadecimal after 0x; [Rule] reads the rules, which have
// no spaces here. There may be several rows.
func Words(words []string) (unwind.Hint, error) {
	var h unwind.Hint
	if len(words) == 0 {
		return h, errors.New("the address of the site is missing")
	}
	var err error
	if h.Site, err = wordAddress(words[0]); err != nil {
		return h, err
	}
	seen := map[string]bool{}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		if seen[name] && name != "row" {
			return h, fmt.Errorf("%s is said twice", name)
		}
		seen[name] = true
		switch name {
		case "length":
			h.Length, err = strconv.Atoi(value)
			if err != nil || h.Length <= 0 {
				return h, fmt.Errorf("%q is no number of bytes", value)
			}
		case "entry":
			h.Entry, err = wordAddress(value)
		case "return":
			h.Return, err = wordAddress(value)
		case "stub":
			h.Stub, _, err = wordExtent(value)
		case "row":
			err = addRow(&h, value)
		default:
			return h, fmt.Errorf("%q is none of length=, entry=, stub=, return= and row=", word)
		}
		if err != nil {
			return h, err
		}
	}
	return h, check(&h)
}

func wordAddress(text string) (uint64, error) {
	at, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no address", text)
	}
	return at, nil
}

// wordExtent reads START,END and gives what comes after the next comma.
func wordExtent(text string) (e unwind.Extent, rest string, err error) {
	start, text, _ := strings.Cut(text, ",")
	end, rest, _ := strings.Cut(text, ",")
	if e.Start, err = wordAddress(start); err == nil {
		e.End, err = wordAddress(end)
	}
	return e, rest, err
}

func addRow(h *unwind.Hint, text string) error {
	if len(h.Rows) == maxRows {
		return fmt.Errorf("%d rows are the most", maxRows)
	}
	extent, rest, err := wordExtent(text)
	if err != nil {
		return err
	}
	row := cfi.Row{Start: extent.Start, End: extent.End}
	hasCFA := false
	for rule := range strings.SplitSeq(rest, ",") {
		name, place, _ := strings.Cut(rule, "=")
		if name == "cfa" {
			hasCFA = true
			if row.CFA, err = Rule(place, true); err != nil {
				return err
			}
			continue
		}
		register, err := registerNamed(name)
		if err != nil {
			return err
		}
		if row.Rules[register], err = Rule(place, false); err != nil {
			return err
		}
	}
	if !hasCFA {
		return fmt.Errorf("the row from %#x has no rule for cfa", row.Start)
	}
	h.Rows = append(h.Rows, row)
	return nil
}
