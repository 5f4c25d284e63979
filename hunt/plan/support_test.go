package plan_test

import (
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/plan"
)

// TestSupport: every operator and case rule of every attribute of the stream is there, with what Translate says of it.
func TestSupport(t *testing.T) {
	stream := hunt.Stream{Name: "s", Attributes: attributes("src_endpoint.ip", "src_endpoint.port", "metadata.log_name", "nonsense")}
	s := source("edr", stream, map[string]hunt.Disposition{"metadata.log_name": hunt.Widened, "src_endpoint.port": hunt.Lossy})
	list, err := plan.SupportOf(s, &s.Description.Streams[0])
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]hunt.Disposition{"src_endpoint.ip": hunt.Exact, "src_endpoint.port": hunt.Lossy, "metadata.log_name": hunt.Widened}
	count := map[string]int{}
	for _, sup := range list {
		count[sup.Path]++
		if sup.Disposition != want[sup.Path] {
			t.Errorf("%s %s is %s, want %s", sup.Path, sup.Op, sup.Disposition, want[sup.Path])
		}
	}
	// An address takes eq, in, cidr, scope, exists; a number eq, in, lt, lte, gt, gte, exists; a text eight, seven of them by case.
	if count["src_endpoint.ip"] != 5 || count["src_endpoint.port"] != 7 || count["metadata.log_name"] != 15 || len(count) != 3 {
		t.Errorf("operators: %v", count)
	}
}

// TestSupportOfSilence: a predicate without a word is filtered by the host.
func TestSupportOfSilence(t *testing.T) {
	s := source("edr", hunt.Stream{Name: "s", Attributes: attributes("src_endpoint.port")}, nil)
	s.Translate = func(r hunt.Request) (*hunt.Translation, error) { return &hunt.Translation{Request: r}, nil }
	list, err := plan.SupportOf(s, &s.Description.Streams[0])
	if err != nil || len(list) != 7 || list[0].Disposition != hunt.Local {
		t.Errorf("%v, %v", list, err)
	}
}
