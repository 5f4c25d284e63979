package demo_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/demo"
)

func TestSameOptionsGiveTheSameBytes(t *testing.T) {
	o := demo.Options{Seed: 7, Days: 2, Events: 4000}
	first, second := write(t, o), write(t, o)
	if !slices.Equal(slices.Sorted(maps.Keys(first.files)), slices.Sorted(maps.Keys(second.files))) {
		t.Fatal("two runs wrote different sets of files")
	}
	for name, data := range first.files {
		if !bytes.Equal(data, second.files[name]) {
			t.Errorf("%s differs between two runs", name)
		}
	}
	if !equalStories(first.story, second.story) {
		t.Errorf("stories differ: %+v and %+v", first.story, second.story)
	}
}

func equalStories(a, b *demo.Story) bool {
	x, y := *a, *b
	same := slices.Equal(x.Objects, y.Objects)
	x.Objects, y.Objects = nil, nil
	return same && x.Host == y.Host && x.UPN == y.UPN && x.PayloadSHA256 == y.PayloadSHA256 &&
		x.AttackerIP == y.AttackerIP && x.NewAccessKey == y.NewAccessKey && x.Start.Equal(y.Start) &&
		x.End.Equal(y.End) && x.Records == y.Records
}

func TestAnotherSeedGivesOtherBytes(t *testing.T) {
	first := write(t, demo.Options{Seed: 1, Events: 4000})
	other := write(t, demo.Options{Seed: 2, Events: 4000})
	for _, name := range []string{"network/conn.log", "identity/signins.json", "endpoint/sysmon-dc01.jsonl"} {
		if bytes.Equal(first.files[name], other.files[name]) {
			t.Errorf("%s is the same for two seeds", name)
		}
	}
	if first.story.PayloadSHA256 == other.story.PayloadSHA256 {
		t.Error("the payload is the same for two seeds")
	}
}

func TestMoreNoiseTellsTheSameStory(t *testing.T) {
	few, many := write(t, demo.Options{Events: 3000}), write(t, demo.Options{Events: 8000})
	if !equalStories(few.story, many.story) {
		t.Errorf("stories differ: %+v and %+v", few.story, many.story)
	}
}

func TestVolumeAndWindow(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, o := range []demo.Options{
		demo.DefaultOptions(),
		{Days: 1, Events: 2000},
		{Days: 1, Events: 15000, End: noon},
		{Days: 1, Events: 3000, End: noon.Add(3 * time.Hour)},
		{Days: 9, Events: 5000, End: noon.Add(3*time.Hour + 52*time.Minute + 7*time.Second)},
	} {
		d := write(t, o)
		if n := d.count(); n < o.Events*98/100 || n > o.Events*102/100 {
			t.Errorf("%+v: wrote %d records", o, n)
		}
		end := o.End
		if end.IsZero() {
			end = demo.DefaultOptions().End
		}
		checkWindow(t, d, end.AddDate(0, 0, -o.Days), end)
	}
}

// checkWindow also checks that files are in time order.
func checkWindow(t *testing.T, d *telemetry, start, end time.Time) {
	t.Helper()
	lists := [][]record{d.endpoint, d.cloud, d.identity}
	for _, rows := range d.zeek {
		lists = append(lists, rows)
	}
	for _, list := range lists {
		last := map[string]time.Time{}
		for _, r := range list {
			if r.at.Before(start) || !r.at.Before(end) {
				t.Errorf("%s: %v is outside %v to %v", r.file, r.at, start, end)
			}
			if r.at.Before(last[r.file]) {
				t.Errorf("%s: %v comes after %v", r.file, r.at, last[r.file])
			}
			last[r.file] = r.at
		}
	}
	s := d.story
	if s.Start.Before(end.Add(-24*time.Hour)) || !s.End.Before(end) || s.End.Sub(s.Start) < 110*time.Minute || s.End.Sub(s.Start) > 2*time.Hour {
		t.Errorf("story from %v to %v, window ends %v", s.Start, s.End, end)
	}
}

func shareOfDomains(t *testing.T, d *telemetry) {
	t.Helper()
	n := d.count()
	if len(d.endpoint) < n/2 {
		t.Errorf("endpoint has %d of %d records", len(d.endpoint), n)
	}
	if d.networkCount < n/5 || len(d.cloud) < n/20 || len(d.identity) < n/30 {
		t.Errorf("network %d, cloud %d, identity %d of %d", d.networkCount, len(d.cloud), len(d.identity), n)
	}
	if d.closed != 4 || len(d.zeek) != 4 {
		t.Errorf("%d of %d Zeek logs are closed", d.closed, len(d.zeek))
	}
}

func TestProgressEndsComplete(t *testing.T) {
	var done, total, calls int
	_, err := demo.Write(t.Context(), t.TempDir(), demo.Options{Events: 2500}, func(d, n int) {
		if d < done || d > n {
			t.Errorf("progress went from %d to %d of %d", done, d, n)
		}
		done, total = d, n
		calls++
	})
	if err != nil {
		t.Fatal(err)
	}
	if done != 2500 || total != 2500 || calls < 24 {
		t.Errorf("last progress %d of %d after %d calls", done, total, calls)
	}
}

func TestCancelStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	story, err := demo.Write(ctx, t.TempDir(), demo.Options{}, func(int, int) { cancel() })
	if !errors.Is(err, context.Canceled) || story != nil {
		t.Errorf("story %v, error %v", story, err)
	}
}

func TestRefusals(t *testing.T) {
	used := t.TempDir()
	if err := os.MkdirAll(filepath.Join(used, "cloud", "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, dir, says string
		options         demo.Options
	}{
		{"too few events", t.TempDir(), "at least 2000", demo.Options{Events: 10}},
		{"negative days", t.TempDir(), "give 1 to 366", demo.Options{Days: -1}},
		{"too many days", t.TempDir(), "give 1 to 366", demo.Options{Days: 400}},
		{"folder in use", used, "is not empty", demo.Options{}},
		{"file in the way", plain, "folder for the output", demo.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			story, err := demo.Write(t.Context(), c.dir, c.options, nil)
			if err == nil || story != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("story %v, error %v; want %q", story, err, c.says)
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	const events = 100_000
	for b.Loop() {
		if _, err := demo.Write(b.Context(), filepath.Join(b.TempDir(), "out"), demo.Options{Events: events}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
