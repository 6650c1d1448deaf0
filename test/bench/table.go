package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// samples are the values that one measure had in the rounds.
type samples []float64

// median returns the middle value, or the mean of the two middle ones.
func (s samples) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func (s samples) String() string {
	if len(s) == 0 {
		return "not offered"
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.median()), number(slices.Min(s)), number(slices.Max(s)))
}

// number shows a value with as many digits as mean something.
func number(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

// printTable writes a line for each measure. The ratio is how many times
// better the first server is.
func printTable(w io.Writer, taken []measure, results [][2]samples) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "measure\tunit\t%s\t%s\tratio\t\n", column[0], column[1])
	for i, m := range taken {
		ours, peers := results[i][0], results[i][1]
		ratio := "-"
		if len(ours) > 0 && len(peers) > 0 {
			better := ours.median() / peers.median()
			if m.lower {
				better = 1 / better
			}
			ratio = fmt.Sprintf("%.2fx", better)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t\n", m.name, m.unit, ours, peers, ratio)
	}
	return table.Flush()
}
