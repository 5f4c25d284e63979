package okta_test

import (
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// BenchmarkSearch reads 10,000 sign-ins in pages of 1,000, the time of the server included.
func BenchmarkSearch(b *testing.B) {
	const n = 10_000
	o := open(b, serve(b, signIns(n), oktatest.Options{}), okta.Config{}, nil)
	r := everything(ocsf.Authentication, "user.name", "status_id", "src_endpoint.ip", "raw")
	for b.Loop() {
		if f := search(b, o, r); len(f.keys) != n {
			b.Fatalf("%d of %d rows: %v", len(f.keys), n, f.err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkTranslate translates a hunt for a name among failures.
func BenchmarkTranslate(b *testing.B) {
	o := open(b, serve(b, nil, oktatest.Options{}), okta.Config{}, nil)
	r := everything(ocsf.Authentication)
	r.Where = hunt.And{predicate(b, ocsf.Authentication, "status_id", hunt.Eq, hunt.Int(2)), predicate(b, ocsf.Authentication, "user.name", hunt.Eq, hunt.String("alice@example.com"))}
	for b.Loop() {
		if _, err := o.Translate(r); err != nil {
			b.Fatal(err)
		}
	}
}
