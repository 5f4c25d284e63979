package bench_test

import "testing"

// TestUnwrap: the event comes out byte for byte, whatever it holds; anything else is refused.
func TestUnwrap(t *testing.T) {
	const event = `{"a":"x,\"e\":{","e":{"_src":"no"}, "n": 1.0}`
	source, got, err := unwrap([]byte(`{"_dom":"endpoint","_src":"some.source","_file":"f","_k":0,"e":` + event + `}`))
	if err != nil || source != "some.source" || string(got) != event {
		t.Errorf("got %q, %q, %v", source, got, err)
	}
	for _, line := range []string{``, `{}`, `{"_src":"x","_k":0}`, `{"e":{},"_src":"x"}`} {
		if _, event, err := unwrap([]byte(line)); err == nil {
			t.Errorf("%q gives %q", line, event)
		}
	}
}

// TestKeywords: plain texts of the two fields are taken, in lower case; short ones, wildcards and other fields are not.
func TestKeywords(t *testing.T) {
	got := map[string]bool{}
	keywordsOf([]byte("detection:\n  a:\n    CommandLine|contains: ['Invoke-Thing', 'ab', 'w*ldcard', 'C:\\\\Path']\n    Image|contains: elsewhere\n"+
		"  b:\n  - ScriptBlockText|contains|all: Long-Enough\n  condition: a or b\n"), got)
	for _, want := range []string{"invoke-thing", `c:\path`, "long-enough"} {
		if !got[want] {
			t.Errorf("no %q in %v", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v", got)
	}
}
