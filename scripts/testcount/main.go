package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
}

var (
	errFailed = errors.New("tests failed")
	errNone   = errors.New("no test ran")
)

// run copies the gist of a test run to out and ends with the line
// "N passed, N failed, N skipped". It returns errFailed or errNone for a run
// that must not count as a success.
func run(in io.Reader, out io.Writer) error {
	c := newCounter(out)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			c.line(line)
		}
		if err == io.EOF {
			return c.summary()
		}
		if err != nil {
			return fmt.Errorf("read the output of go test: %w", err)
		}
	}
}
