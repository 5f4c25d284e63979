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
// `connector` and tests as `ingest`, a plugin that holds a folder in memory, and one with a fault.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "connector", "ingest":
			os.Exit((&program{ctx: context.Background(), stdout: os.Stdout, stderr: os.Stderr}).main(os.Args[1:]))
		case "memory-plugin":
			os.Exit(servePlugin(func(ctx context.Context, s sdk.Setup) (hunt.Connector, error) {
				return loadMemory(ctx, s.ID, os.Args[2])
			}))
		case "faulty-plugin":
			os.Exit(servePlugin(func(_ context.Context, s sdk.Setup) (hunt.Connector, error) {
				c, err := randomEvents(s.ID)
				token, _ := s.Secret("env:FAULTY_TOKEN") // few settings name it
				return withFault(c, os.Args[2], token), err
			}))
		}
	}
	os.Exit(m.Run())
}

// servePlugin serves a connector as a plugin.
func servePlugin(open func(context.Context, sdk.Setup) (hunt.Connector, error)) int {
	err := sdk.Serve(sdk.Plugin{Name: "memory", Version: "1", Open: open})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
