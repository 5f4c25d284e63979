package columnar_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/harrier-xdr/harrier/graph/columnar"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// probe is a class with every type of column, which no class of OCSF has.
func probe() *ocsf.Class {
	colour := &ocsf.EnumTable{Name: "Colour", Values: []ocsf.EnumValue{{ID: 1, Name: "RED"}}}
	return &ocsf.Class{UID: ocsf.BaseEvent, Name: "probe", Type: "Probe", Root: "probes", Columns: []ocsf.Column{
		{Path: "box.colour_id", GraphQL: "box.colour", Type: ocsf.Enum, Enum: colour}, {Path: "box.open", GraphQL: "box.open", Type: ocsf.Boolean}, {Path: "box.score", GraphQL: "box.score", Type: ocsf.Float},
		{Path: "parts.name", GraphQL: "parts.name", Type: ocsf.String, List: "parts"}, {Path: "parts.owner.name", GraphQL: "parts.owner.name", Type: ocsf.String, List: "parts"},
	}}
}

const probeSchema = `type Query {probes: [Probe!]} type Probe {uid: String box: Box parts: [Part!] id: ID tenant: String} type Box {colour: String open: Boolean score: Float other: String}
	type Part {name: String owner: Owner} type Owner {name: String}`

// compile compiles the selection on a probe.
func compile(t *testing.T, selection string) *columnar.Plan {
	t.Helper()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: probeSchema})
	doc, errs := gqlparser.LoadQueryWithRules(schema, "{probes {"+selection+"}}", rules.NewDefaultRules())
	if errs != nil {
		t.Fatal(errs)
	}
	field := doc.Operations[0].SelectionSet[0].(*ast.Field)
	return columnar.Compile(&graphql.OperationContext{Doc: doc}, field.SelectionSet, probe())
}

func TestColumnsOfASelection(t *testing.T) {
	for selection, want := range map[string][]string{
		"id tenant __typename":                    nil,
		"uid box {score other} s: uid":            {"uid", "box.score", "uid"},
		"parts {owner {name}}":                    {"parts.owner.name"},
		"parts {__typename}":                      {"parts.name", "parts.owner.name"}, // how many there are shows
		"parts {owner {__typename}} parts {name}": {"parts.name"},
	} {
		if got := compile(t, selection).Columns(); !slices.Equal(got, want) {
			t.Errorf("%s needs %v, want %v", selection, got, want)
		}
	}
}

// TestValuesOfEveryType writes rows that no class of OCSF has: numbers without a form in JSON, enums without OTHER, elements that are null.
func TestValuesOfEveryType(t *testing.T) {
	class := probe()
	b := array.NewRecordBuilder(memory.DefaultAllocator, hunt.Schema(class, []string{"box.colour_id", "box.open", "box.score", "parts.name"}))
	scores := []float64{0.1, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
	for i, f := range scores {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprint(i))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(i))
		b.Field(2).(*array.Int64Builder).Append(int64(i))
		b.Field(3).(*array.BooleanBuilder).Append(i%2 == 0)
		b.Field(4).(*array.Float64Builder).Append(f)
		list := b.Field(5).(*array.ListBuilder)
		list.Append(true)
		part := list.ValueBuilder().(*array.StructBuilder)
		part.Append(true)
		part.FieldBuilder(0).(*array.StringBuilder).Append(fmt.Sprint("p", i))
		part.FieldBuilder(1).AppendNull()
	}
	rec := b.NewRecordBatch().NewSlice(0, int64(len(scores)))
	rows := &exec.Rows{Run: vector.Run{Record: rec, To: len(scores)}, Ref: hunt.ConnectionRef{Tenant: "acme", Connection: "web"}}
	w := columnar.NewWriter(compile(t, "box {score} b: box {colour} o: box {open other} none: box {other} parts {name owner {name}}"), func(k hunt.Key) string { return k.UID })
	wanted := []string{"0.1", "-0", "1.7976931348623157e+308", "5e-324", "null", "null", "null"}
	for i, score := range wanted {
		colour := "null"
		if i == 1 {
			colour = `"RED"`
		}
		want := fmt.Sprintf(`{"box":{"score":%s},"b":{"colour":%s},"o":{"open":%t,"other":null},"none":null,"parts":[{"name":"p%d","owner":null}]}`, score, colour, i%2 == 0, i)
		if got := string(w.Append(nil, rows, i)); got != want {
			t.Errorf("row %d\ngot  %s\nwant %s", i, got, want)
		}
	}
}

// TestOneWriterForBatchesOfOtherShape: batches of several streams have other columns; a slice of a batch starts elsewhere.
func TestOneWriterForBatchesOfOtherShape(t *testing.T) {
	class := probe()
	batch := func(paths ...string) arrow.RecordBatch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, hunt.Schema(class, paths))
		for i := range 4 {
			b.Field(0).(*array.StringBuilder).Append(fmt.Sprint(i))
			b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(i))
			if len(paths) > 0 {
				list := b.Field(2).(*array.ListBuilder)
				list.Append(true)
				for j := range i {
					part := list.ValueBuilder().(*array.StructBuilder)
					part.Append(true)
					part.FieldBuilder(0).(*array.StringBuilder).Append(fmt.Sprint(i, j))
					part.FieldBuilder(1).AppendNull()
				}
			}
		}
		return b.NewRecordBatch()
	}
	w := columnar.NewWriter(compile(t, "id tenant uid parts {name}"), func(k hunt.Key) string { return k.Tenant + "/" + k.Connection + "/" + fmt.Sprint(k.Time) + "/" + k.UID })
	for _, c := range []struct {
		rec  arrow.RecordBatch
		row  int
		want string
	}{
		{batch("parts.name"), 2, `{"id":"acme/web/2/2","tenant":"acme","uid":"2","parts":[{"name":"2 0"},{"name":"2 1"}]}`},
		{batch(), 1, `{"id":"acme/web/1/1","tenant":"acme","uid":"1","parts":null}`},
		{batch("parts.name").NewSlice(1, 3), 1, `{"id":"acme/web/2/2","tenant":"acme","uid":"2","parts":[{"name":"2 0"},{"name":"2 1"}]}`},
		{batch("parts.name"), 0, `{"id":"acme/web/0/0","tenant":"acme","uid":"0","parts":[]}`},
	} {
		rows := &exec.Rows{Run: vector.Run{Record: c.rec}, Ref: hunt.ConnectionRef{Tenant: "acme", Connection: "web"}}
		if got := string(w.Append(nil, rows, c.row)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
