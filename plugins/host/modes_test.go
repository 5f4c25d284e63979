package host_test

import (
	"context"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/sdk"
)

// openers lists the children that serve with the SDK.
func openers() map[string]opener {
	return map[string]opener{
		"files": openFiles,
		"bench": openBench,
		"fake":  func(context.Context, sdk.Setup) (hunt.Connector, error) { return &fake{}, nil },
	}
}

// odd lists the children that do not.
func odd() map[string]func(args []string) {
	return map[string]func(args []string){}
}
