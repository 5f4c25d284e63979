package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/plugins/sdk"
	"github.com/harrier-xdr/harrier/schema/ocsf"
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

// TestThroughTheHost starts the program as a gateway does and hunts through it: events of the last hour, a token by reference.
func TestThroughTheHost(t *testing.T) {
	const token = "00aSecretThatNobodyMaySee"
	var events []string
	for i := range 25 {
		at := time.Now().UTC().Add(time.Duration(i-30) * time.Minute).Format("2006-01-02T15:04:05.000Z")
		events = append(events, fmt.Sprintf(`{"uuid":"%d","published":%q,"eventType":"user.session.start","outcome":{"result":"FAILURE"}}`, i, at))
	}
	server, err := oktatest.New(events, oktatest.Options{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HARRIER_OKTA_AS_PROGRAM", "1")
	c, err := host.Open(t.Context(), host.Config{Path: program, Env: []string{"HARRIER_OKTA_AS_PROGRAM"}}, host.Setup{
		ID: hunttest.Identity(), Settings: fmt.Appendf(nil, "url: %s\ntoken: env:OKTA_TOKEN\npage_size: 10\n", server.URL()),
		Secret: func(string) (string, error) { return token, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := c.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.Connector != "okta" || len(d.Streams) != 4 {
		t.Errorf("described %+v", d)
	}
	class := ocsf.ByUID(ocsf.Authentication)
	failed, err := hunt.NewPredicate(class.Column("status_id"), hunt.Eq, false, hunt.Int(2))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := c.Translate(hunt.Request{Stream: "okta.systemlog", Class: class, Where: failed, Range: hunt.TimeRange{Start: 0, End: time.Now().UnixMicro()}})
	if err != nil {
		t.Fatal(err)
	}
	rows, ended := 0, false
	for f, err := range c.Search(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *hunt.Batch:
			rows += int(f.Record.NumRows())
		case hunt.End:
			ended = true
		}
	}
	if rows != 25 || !ended || tr.Predicates[0].Disposition != hunt.Exact {
		t.Errorf("%d of 25 rows, ended %v, %v", rows, ended, tr.Predicates)
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
