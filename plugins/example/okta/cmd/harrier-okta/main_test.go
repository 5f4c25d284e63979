package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
	"github.com/harrier-xdr/harrier/plugins/sdk"
)

// TestMain runs the program itself where a test starts it.
func TestMain(m *testing.M) {
	if os.Getenv("HARRIER_OKTA_AS_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestByHandItSaysWhatItIs(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = []string{"HARRIER_OKTA_AS_PROGRAM=1"}
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "this is a plugin") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestOpen(t *testing.T) {
	setup := func(text string) sdk.Setup {
		return sdk.Setup{ID: hunttest.Identity(), Secret: func(string) (string, error) { return "00a", nil }, Decode: func(into any) error {
			if err := strictyaml.Decode([]byte(text), into); err != nil {
				return hunt.Errorf(hunt.BadConfig, "%s", strictyaml.Message(err))
			}
			return nil
		}}
	}
	c, err := open(t.Context(), setup("url: https://example.okta.com\ntoken: env:OKTA_TOKEN\npage_size: 500\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"url: https://example.okta.com\ntoken: env:X\nhost: x\n", "url: http://example.okta.com\ntoken: env:X\n", "page_size: many\n"} {
		c, err := open(t.Context(), setup(text))
		if c != nil || hunt.AsError(err, hunt.Internal).Code != hunt.BadConfig {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
}
