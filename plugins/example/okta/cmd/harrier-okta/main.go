package main

import (
	"context"
	"fmt"
	"os"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
	"github.com/harrier-xdr/harrier/plugins/sdk"
)

func main() {
	if err := sdk.Serve(sdk.Plugin{Name: "okta", Version: okta.Version, Open: open}); err != nil {
		fmt.Fprintln(os.Stderr, "harrier-okta:", err)
		os.Exit(1)
	}
}

// open opens the connection of this process.
func open(_ context.Context, s sdk.Setup) (hunt.Connector, error) {
	var cfg okta.Config
	if err := s.Decode(&cfg); err != nil {
		return nil, err
	}
	o, err := okta.Open(s.ID, cfg, okta.Options{Secret: s.Secret})
	if err != nil {
		return nil, err // not o: an interface that holds a nil pointer is not nil
	}
	return o, nil
}
