// Goroutines starts workers that each square a number and end.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
)

//go:noinline
func square(n int) int {
	return n * n
}

//go:noinline
func finished(sum int) {
	fmt.Println("sum", sum)
}

func main() {
	count := 10
	if len(os.Args) > 1 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		count = n
	}
	results := make([]int, count)
	var all sync.WaitGroup
	for i := range count {
		all.Add(1)
		go func() {
			defer all.Done()
			results[i] = square(i)
		}()
	}
	all.Wait()
	sum := 0
	for _, r := range results {
		sum += r
	}
	finished(sum)
}
