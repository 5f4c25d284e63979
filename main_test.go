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
// `connector` and where another process is to ingest, and a plugin that holds a folder in memory, a sound one or one with a fault.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "connector", "ingest":
			os.Exit((&program{ctx: context.Background(), stdout: os.Stdout, stderr: os.Stderr}).main(os.Args[1:]))
		case "memory-plugin":
			os.Exit(servedMemory(os.Args[2], nil))
		case "faulty-plugin":
			os.Exit(servedMemory(os.Args[2], func(c hunt.Connector) hunt.Connector { return withFault(c, os.Args[3]) }))
		}
	}
	os.Exit(m.Run())
}

// servedMemory serves a folder from memory as a plugin; spoil puts a fault around the connector, nil for none.
func servedMemory(data string, spoil func(hunt.Connector) hunt.Connector) int {
	err := sdk.Serve(sdk.Plugin{Name: "memory", Version: "1", Open: func(ctx context.Context, s sdk.Setup) (hunt.Connector, error) {
		c, err := loadMemory(ctx, s.ID, data)
		if err == nil && spoil != nil {
			c = spoil(c)
		}
		return c, err
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
