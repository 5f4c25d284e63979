package sdk_test

import (
	"context"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/sdk"
)

// What serving does is tested in package host, with processes.

func TestServeRefuses(t *testing.T) {
	open := func(context.Context, sdk.Setup) (hunt.Connector, error) { return nil, nil }
	for _, tc := range []struct {
		name   string
		plugin sdk.Plugin
		code   hunt.Code
	}{
		{"no name", sdk.Plugin{Version: "1", Open: open}, hunt.BadConfig},
		{"no version", sdk.Plugin{Name: "a", Open: open}, hunt.BadConfig},
		{"nothing to open", sdk.Plugin{Name: "a", Version: "1"}, hunt.BadConfig},
		{"no host", sdk.Plugin{Name: "a", Version: "1", Open: open}, hunt.PluginRefused},
	} {
		if err := sdk.Serve(tc.plugin); hunt.AsError(err, "").Code != tc.code {
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.code)
		}
	}
}
