package elastic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

const sampleMapping = `{
"a-1":{"mappings":{"dynamic":"strict","properties":{
 "@timestamp":{"type":"date"},
 "name":{"type":"keyword","ignore_above":1024,"fields":{"lower":{"type":"keyword","normalizer":"lowercase"},"text":{"type":"match_only_text"}}},
 "text":{"type":"text","fields":{"keyword":{"type":"keyword","ignore_above":256},"raw":{"type":"keyword"}}},
 "words":{"type":"text"},"folded":{"type":"keyword","normalizer":"lowercase"},"odd":{"type":"keyword","normalizer":"mine"},
 "wild":{"type":"wildcard"},"const":{"type":"constant_keyword","value":"x"},"ip":{"type":"ip","ignore_malformed":true},
 "n":{"type":"short"},"d":{"type":"double"},"f":{"type":"scaled_float"},"u":{"type":"unsigned_long"},"b":{"type":"boolean"},"nanos":{"type":"date_nanos"},
 "flat":{"type":"flattened"},"alias":{"type":"alias","path":"name"},"dangling":{"type":"alias","path":"nowhere"},
 "kept":{"type":"keyword","index":false},"computed":{"type":"keyword","script":"x"},"v":{"type":"version"},
 "list":{"type":"nested","properties":{"value":{"type":"keyword"},"inner":{"type":"nested","properties":{"x":{"type":"long"}}}}},
 "loose":{"dynamic":"false","properties":{"x":{"type":"keyword"},"tight":{"dynamic":"true","properties":{"x":{"type":"keyword"}}}}},
 "off":{"enabled":false},"hash":{"properties":{"md5":{"type":"keyword"},"sha1":{"type":"keyword"}}},"dotted.name":{"type":"keyword"}},
 "runtime":{"late":{"type":"long"}}}},
"a-2":{"mappings":{"properties":{"name":{"type":"text"},"ip":{"type":"keyword"}}}},
"a-3":{"mappings":{"properties":{"ip":{"type":"keyword"},"name":{"type":"text"},"unasked":{"type":"long"}}}},
"a-4":{"mappings":{}}}`

// TestGroups reads mappings of every kind and shows what is known of every field.
func TestGroups(t *testing.T) {
	wanted := strings.Fields(`@timestamp name text words folded odd wild const ip n d f u b nanos flat.a.b flat alias dangling kept computed v list list.value
		list.inner.x loose.x loose.y loose.tight.x off.x hash dotted.name late missing`)
	caps := `{"fields":{"kept":{"keyword":{"searchable":true,"indices":["a-1"]}},"n":{"short":{"searchable":false,"indices":["a-1"]}}}}`
	settings := `{"a-2":{"settings":{"index.mapping.ignore_malformed":"true"}},"a-3":{"settings":{"index":{"mapping":{"ignore_malformed":"true"}}}}}`
	groups, err := readGroups(answers{Mapping: []byte(sampleMapping), Caps: []byte(caps), Settings: []byte(settings)}, wanted, true)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "%s opaque %q\n", g.Indices, g.Opaque)
		for _, name := range slices.Sorted(maps.Keys(g.Fields)) {
			fmt.Fprintf(&b, "  %s: %+v\n", name, g.Fields[name])
		}
	}
	golden(t, "groups.golden", b.String())
}

// TestHostileMappings reads mappings that are huge, deep or none: they are bounded, or refused.
func TestHostileMappings(t *testing.T) {
	var wide strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&wide, `"f%d":{"type":"keyword"},`, i)
	}
	deep := strings.Repeat(`{"properties":{"a":`, 250) + `{"type":"long"}` + strings.Repeat("}}", 250)
	tooDeep := strings.Repeat(`{"properties":{"a":`, 5000) + `{"type":"long"}` + strings.Repeat("}}", 5000)
	for _, c := range []struct {
		name, mapping string
		fields        int
		fails         bool
	}{
		{"wide", `{"x":{"mappings":{"properties":{` + wide.String() + `"name":{"type":"keyword"}}}}}`, 1, false},
		{"deep", `{"x":{"mappings":` + deep + `}}`, 0, true},
		{"too deep", `{"x":{"mappings":` + tooDeep + `}}`, 0, true},
		{"no object", `[1]`, 0, true},
		{"cut", `{"x":{"mappings":{"prop`, 0, true},
		{"no mappings", `{"x":{}}`, 0, true},
		{"odd types", `{"x":{"mappings":{"properties":{"name":{"type":7,"fields":[1],"ignore_above":"-3"},"b":7}}}}`, 1, false},
		{"nothing", `{}`, 0, false},
	} {
		groups, err := readGroups(answers{Mapping: []byte(c.mapping)}, []string{"name"}, true)
		if (err != nil) != c.fails {
			t.Errorf("%s: error %v", c.name, err)
		}
		n := 0
		for _, g := range groups {
			n += len(g.Fields)
		}
		if n != c.fields {
			t.Errorf("%s: %d fields, want %d", c.name, n, c.fields)
		}
	}
}

func FuzzReadGroups(f *testing.F) {
	f.Add([]byte(sampleMapping), []byte(`{"fields":{"name":{"keyword":{"searchable":true}}}}`), []byte(`{"a-1":{"settings":{"index.mapping.ignore_above":"5"}}}`))
	f.Add([]byte(`{"x":{"mappings":{"properties":{"name":{"type":"alias","path":"name"}}}}}`), []byte(`{}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, mapping, caps, settings []byte) {
		groups, err := readGroups(answers{mapping, caps, settings}, []string{"name", "list.value", "flat.a"}, false)
		if err != nil && groups != nil {
			t.Fatal("groups and an error")
		}
		for _, g := range groups {
			if len(g.Indices) == 0 {
				t.Fatal("a group without an index")
			}
		}
	})
}
