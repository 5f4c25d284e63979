package plan_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/plan"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// class is what the plans below hunt.
func class() *ocsf.Class { return ocsf.ByUID(ocsf.NetworkActivity) }

// pred makes a predicate on a column of the class.
func pred(t *testing.T, path string, op hunt.Op, args ...hunt.Value) *hunt.Predicate {
	t.Helper()
	p, err := hunt.NewPredicate(class().Column(path), op, false, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// source is a connection whose one stream provides attributes and disposes of predicates by a table; others are EXACT.
func source(name string, s hunt.Stream, dispositions map[string]hunt.Disposition) plan.Source {
	s.Class = class()
	return plan.Source{
		Ref:         hunt.ConnectionRef{Tenant: "acme", Connection: name},
		Description: &hunt.Description{Connector: "test", Streams: []hunt.Stream{s}, Snapshot: "7"},
		Translate: func(r hunt.Request) (*hunt.Translation, error) {
			tr := &hunt.Translation{Request: r}
			hunt.Walk(r.Where, func(p *hunt.Predicate) {
				d := hunt.Exact
				if x, ok := dispositions[p.Path]; ok {
					d = x
				}
				tr.Predicates = append(tr.Predicates, hunt.Disposed{Predicate: p, Disposition: d})
			})
			tr.Native = "asks for " + hunt.Push(r.Where, tr.Of()).String() + "\ncolumns " + strings.Join(r.Columns, " ") + " snapshot " + r.Snapshot
			return tr, nil
		},
	}
}

func attributes(paths ...string) map[string]bool {
	out := map[string]bool{}
	for _, p := range paths {
		out[p] = true
	}
	return out
}

// endpoint, network and narrow are the streams that the plans choose from.
func sources() []plan.Source {
	day := func(d int64) int64 { return d * 86400e6 }
	both := attributes("src_endpoint.ip", "dst_endpoint.ip", "dst_endpoint.port", "metadata.log_name", "metadata.product.name")
	endpoint := attributes("actor.process.name", "actor.process.file.hashes.value")
	for p := range both {
		endpoint[p] = true
	}
	return []plan.Source{
		source("edr", hunt.Stream{Name: "windows.sysmon", Attributes: endpoint, Closed: map[string][]hunt.Value{"metadata.product.name": {hunt.String("Sysmon")}}},
			map[string]hunt.Disposition{"actor.process.name": hunt.Widened, "dst_endpoint.ip": hunt.Local}),
		source("sensor", hunt.Stream{Name: "zeek", Attributes: both, Closed: map[string][]hunt.Value{"metadata.product.name": {hunt.String("Zeek")}, "metadata.log_name": {hunt.String("conn"), hunt.String("ssl")}}},
			map[string]hunt.Disposition{"metadata.log_name": hunt.Lossy}),
		source("archive", hunt.Stream{Name: "flow", Attributes: both, Time: &hunt.TimeRange{Start: day(1), End: day(2)}, Untimed: 4}, nil),
		{Ref: hunt.ConnectionRef{Tenant: "acme", Connection: "broken"}, Err: &hunt.Error{Code: hunt.SourceUnavailable, Message: "connection refused"}},
		{Ref: hunt.ConnectionRef{Tenant: "acme", Connection: "directory"}, Description: &hunt.Description{Connector: "test"}},
		{Ref: hunt.ConnectionRef{Tenant: "other", Connection: "edr"}, Description: &hunt.Description{Connector: "test"}},
	}
}

func TestPlans(t *testing.T) {
	ip := pred(t, "dst_endpoint.ip", hunt.CIDR, hunt.String("203.0.113.0/24"))
	name := pred(t, "actor.process.name", hunt.Eq, hunt.String("rundll32.exe"))
	port := pred(t, "dst_endpoint.port", hunt.In, hunt.Int(443), hunt.Int(8443))
	zeek := pred(t, "metadata.product.name", hunt.Eq, hunt.String("ZEEK"))
	sysmon := pred(t, "metadata.product.name", hunt.Eq, hunt.String("Sysmon"))
	conn := pred(t, "metadata.log_name", hunt.Eq, hunt.String("conn"))
	hash := hunt.Some{List: "actor.process.file.hashes", Expr: pred(t, "actor.process.file.hashes.value", hunt.Eq, hunt.String("ab"))}
	nothing := pred(t, "dst_endpoint.port", hunt.In)
	for file, where := range map[string]hunt.Expr{
		"everything":             hunt.True(),
		"exact":                  port,
		"local_and_exact":        hunt.And{ip, port},
		"negation_of_widened":    hunt.And{hunt.Not{Expr: name}, port},
		"negation_of_exact":      hunt.Not{Expr: port},
		"or_with_local":          hunt.Or{ip, port},
		"lossy_is_not_used":      hunt.And{conn, port},
		"impossible":             hunt.Not{Expr: name},
		"impossible_in_or":       hunt.Or{port, name},
		"pruned_not_impossible":  hunt.And{sysmon, name},
		"pruned_by_value":        hunt.And{zeek, port},
		"negated_closed_value":   hunt.Not{Expr: zeek},
		"some_element":           hash,
		"some_without_array":     hunt.Some{List: "actor.process.file.hashes", Expr: hunt.True()},
		"nothing_matches":        nothing,
		"exists_on_closed":       pred(t, "metadata.product.name", hunt.Exists, hunt.Bool(false)),
		"unknown_name_of_a_log":  pred(t, "metadata.log_name", hunt.StartsWith, hunt.String("dns")),
		"deep_and_of_impossible": hunt.And{port, hunt.Or{hunt.And{zeek, name}, hunt.And{sysmon, ip}}},
	} {
		t.Run(file, func(t *testing.T) {
			q := &hunt.Query{Class: class(), Range: hunt.TimeRange{Start: 10 * 86400e6, End: 20 * 86400e6}, Where: where, Columns: []string{"src_endpoint.ip", "actor.process.name"}, Tenants: []string{"acme"}, Limit: 51}
			golden(t, file, plan.New(q, sources()).String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the plan is\n%s\nwant\n%s", got, want)
	}
}

func TestTenantsAndConnections(t *testing.T) {
	q := &hunt.Query{Class: class(), Range: hunt.TimeRange{Start: 0, End: 1}, Where: hunt.True(), Tenants: []string{"acme"}, Connections: []string{"edr"}}
	p := plan.New(q, sources())
	if len(p.Steps) != 1 || p.Steps[0].Ref != (hunt.ConnectionRef{Tenant: "acme", Connection: "edr"}) {
		t.Errorf("the plan asks %v, want acme/edr alone", p)
	}
}

func TestSnapshotOfTheFirstPageWins(t *testing.T) {
	ref := hunt.ConnectionRef{Tenant: "acme", Connection: "edr"}
	q := &hunt.Query{Class: class(), Range: hunt.TimeRange{Start: 0, End: 1}, Where: hunt.True(), Tenants: []string{"acme"}, Snapshots: map[hunt.ConnectionRef]string{ref: "3"}}
	for _, s := range plan.New(q, sources()).Steps {
		if s.Translation == nil {
			continue
		}
		want := "7"
		if s.Ref == ref {
			want = "3"
		}
		if got := s.Translation.Request.Snapshot; got != want {
			t.Errorf("%s is asked for snapshot %q, want %q", s.Ref, got, want)
		}
	}
}

func TestUnreadEventsMayBeOfAnyClass(t *testing.T) {
	s := plan.Source{Ref: hunt.ConnectionRef{Tenant: "acme", Connection: "lake"}, Description: &hunt.Description{Unread: "3 records could not be decoded"}}
	q := &hunt.Query{Class: class(), Range: hunt.TimeRange{Start: 0, End: 1}, Where: hunt.True(), Tenants: []string{"acme"}}
	if st := plan.New(q, []plan.Source{s}).Steps[0]; st.State != hunt.Partial || st.Err == nil {
		t.Errorf("the step is %s: records that nobody could decode may be what is hunted", st.State)
	}
}

// TestTranslationThatHangs: a source that does not translate in time is TIMED_OUT, after one deadline for all of its streams.
func TestTranslationThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source("slow", hunt.Stream{Name: "a", Attributes: attributes("src_endpoint.port")}, nil)
		s.Description.Streams = append(s.Description.Streams, s.Description.Streams[0])
		s.Description.Streams[1].Name = "b"
		s.Translate = func(hunt.Request) (*hunt.Translation, error) {
			time.Sleep(time.Second)
			return nil, &hunt.Error{Code: hunt.SourceTimeout, Message: "no answer"}
		}
		q := &hunt.Query{Class: class(), Range: hunt.TimeRange{Start: 0, End: 10}, Where: pred(t, "src_endpoint.port", hunt.Eq, hunt.Int(1)), Tenants: []string{"acme"}}
		began := time.Now()
		p := plan.New(q, []plan.Source{s})
		if len(p.Steps) != 2 || p.Steps[0].State != hunt.TimedOut || p.Steps[1].State != hunt.TimedOut || time.Since(began) != time.Second {
			t.Errorf("%d steps after %v: %+v", len(p.Steps), time.Since(began), p.Steps)
		}
	})
}
