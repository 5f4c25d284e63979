package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/sdk"
)

// TestMain lets the test binary be what it is not: the program itself, where a connection in a process of its own starts it as
// `connector`, and a plugin that holds a folder in memory.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "connector":
			os.Exit((&program{ctx: context.Background(), stdout: os.Stdout, stderr: os.Stderr}).main(os.Args[1:]))
		case "memory-plugin":
			os.Exit(servedMemory(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

// servedMemory serves a folder from memory as a plugin.
func servedMemory(data string) int {
	err := sdk.Serve(sdk.Plugin{Name: "memory", Version: "1", Open: func(ctx context.Context, s sdk.Setup) (hunt.Connector, error) {
		return loadMemory(ctx, s.ID, data)
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
