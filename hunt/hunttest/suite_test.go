package hunttest_test

import (
	"context"
	"slices"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

// silent describes nothing of what it holds.
type silent struct{ *memory.Memory }

func (s silent) Describe(ctx context.Context) (*hunt.Description, error) {
	d, err := s.Memory.Describe(ctx)
	d.Streams = nil
	return d, err
}

// TestCheckCallsTheHooks: data reaches the source through Open and Grow, and what is wrong comes back.
func TestCheckCallsTheHooks(t *testing.T) {
	var m *memory.Memory
	opened, grown := 0, 0
	s := hunttest.Suite{Rows: 200}
	add := func(t *testing.T, d hunttest.Data) {
		if err := m.Append(d.Stream, d.Record); err != nil {
			t.Fatal(err)
		}
	}
	s.Open = func(t *testing.T, data []hunttest.Data) hunt.Connector {
		opened++
		m = memory.Open(hunttest.Identity())
		for _, d := range data {
			add(t, d)
		}
		return m
	}
	s.Grow = func(t *testing.T, d hunttest.Data) { grown++; add(t, d) }
	for _, name := range []string{"Contents", "Snapshot", "Duplicates"} {
		if !slices.Contains(hunttest.Behaviours(), name) {
			t.Errorf("there is no behaviour %s", name)
		}
		for _, err := range s.Check(t, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if opened != 3 || grown < 2 {
		t.Errorf("opened %d sources and added to them %d times", opened, grown)
	}
	right := s.Open
	s.Open = func(t *testing.T, data []hunttest.Data) hunt.Connector { right(t, data); return silent{m} }
	if errs := s.Check(t, "Contents"); len(errs) == 0 {
		t.Error("a connector that describes no stream passes")
	}
}
