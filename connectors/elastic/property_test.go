package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// cluster is a node as these tests talk to it: plain HTTP, nothing of the client.
type cluster struct {
	t       *testing.T
	url     string
	ignored bool
}

func startCluster(t *testing.T, p node.Product) *cluster {
	n := SharedNode(t, p)
	return &cluster{t: t, url: n.URL(), ignored: p == node.Elasticsearch || p == node.Elasticsearch9}
}

// call sends a request and returns the answer, which must be a success.
func (c *cluster) call(method, path string, body []byte) []byte {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if strings.Contains(path, "_bulk") || strings.Contains(path, "_msearch") {
		r.Header.Set("Content-Type", "application/x-ndjson")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 201 {
		c.t.Fatalf("%s %s: %d %v %.2000s", method, path, resp.StatusCode, err, text)
	}
	return text
}

// load creates an index and writes documents, whose _id is their place in the list, counted from first.
func (c *cluster) load(index string, body []byte, docs [][]byte, first int) {
	c.t.Helper()
	c.call("PUT", "/"+index, body)
	var b bytes.Buffer
	for i, d := range docs {
		fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n%s\n", first+i, d)
	}
	var answer struct {
		Errors bool
		Items  []json.RawMessage
	}
	if err := json.Unmarshal(c.call("POST", "/"+index+"/_bulk?refresh=true", b.Bytes()), &answer); err != nil {
		c.t.Fatal(err)
	}
	for i, item := range answer.Items {
		if answer.Errors && !strings.Contains(string(item), `"status":20`) {
			c.t.Fatalf("document %d was refused: %.500s\n%.2000s", i, item, docs[i])
		}
	}
}

func (c *cluster) groups(indices string, wanted []string) []group {
	c.t.Helper()
	groups, err := readGroups(answers{Mapping: c.call("GET", "/"+indices+"/_mapping", nil), Caps: c.call("GET", "/"+indices+"/_field_caps?fields=*", nil),
		Settings: c.call("GET", "/"+indices+"/_settings?flat_settings=true", nil)}, wanted, c.ignored)
	if err != nil {
		c.t.Fatal(err)
	}
	return groups
}

// search runs the searches of several translations and returns the ids of each.
func (c *cluster) search(list [][]nativeSearch) [][]int {
	c.t.Helper()
	var b bytes.Buffer
	for _, searches := range list {
		for _, s := range searches {
			indices, _ := json.Marshal(s.Indices)
			fmt.Fprintf(&b, "{\"index\":%s}\n{\"size\":10000,\"_source\":false,\"query\":%s}\n", indices, s.Query)
		}
	}
	out := make([][]int, len(list))
	if b.Len() == 0 {
		return out
	}
	var answer struct {
		Responses []struct {
			Error json.RawMessage
			Hits  struct {
				Hits []struct {
					ID string `json:"_id"`
				}
			}
			Shards struct{ Total, Successful int } `json:"_shards"`
		}
	}
	if err := json.Unmarshal(c.call("POST", "/_msearch", b.Bytes()), &answer); err != nil {
		c.t.Fatal(err)
	}
	at := 0
	for i, searches := range list {
		for _, s := range searches {
			r := answer.Responses[at]
			at++
			if r.Error != nil || r.Shards.Successful != r.Shards.Total || r.Shards.Total == 0 {
				c.t.Fatalf("the cluster refuses a query: %.1500s\n%.3000s", r.Error, s.Query)
			}
			for _, h := range r.Hits.Hits {
				id, _ := strconv.Atoi(h.ID)
				out[i] = append(out[i], id)
			}
		}
		slices.Sort(out[i])
	}
	return out
}

// written is a batch that a cluster holds in documents of this package.
type written struct {
	rec    arrow.RecordBatch
	source *source
}

// write makes a batch, writes it and reads what the cluster says of it.
func (c *cluster) write(rng *rand.Rand, class *ocsf.Class, rows int, options ...hunttest.BatchOption) written {
	c.t.Helper()
	rec := hunttest.RandomBatch(rng, class, rows, options...)
	stream := hunt.Stream{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class), Rows: -1}
	body, err := indexTemplate(metaOf(hunttest.Identity(), &stream), 2)
	if err != nil {
		c.t.Fatal(err)
	}
	index := fmt.Sprintf("x-%d-%s", rng.Uint32(), class.Name)
	c.load(index, body, documents(class, rec), 0)
	s := &source{stream: stream, groups: c.groups(index, wantedFields(class, nil)), time: ocsf.ColTime, micros: true}
	if len(s.groups) != 1 {
		c.t.Fatalf("%s: %d groups", class.Name, len(s.groups))
	}
	return written{rec, s}
}

// floats does the same for floating point numbers, which no class has so far.
func (c *cluster) floats() {
	class := &ocsf.Class{Name: "floats", Columns: []ocsf.Column{{Path: "a.f", GraphQL: "a.f", Type: ocsf.Float},
		{Path: "l.f", GraphQL: "l.f", Type: ocsf.Float, List: "l"}, {Path: "l.n", GraphQL: "l.n", Type: ocsf.Long, List: "l"}}}
	rng := rand.New(rand.NewPCG(31, 32))
	rec := hunttest.RandomBatch(rng, class, 200)
	body, err := classMapping(class, indexMeta{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.load("x-floats", fmt.Appendf(nil, `{"mappings":%s}`, body), documents(class, rec), 0)
	w := written{rec, &source{stream: hunt.Stream{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class)}, time: ocsf.ColTime, micros: true,
		groups: c.groups("x-floats", wantedFields(class, nil))}}
	columns := []*ocsf.Column{&class.Columns[0], &class.Columns[1], &class.Columns[2]}
	states, exact := map[hunt.Disposition]int{}, 0
	for range 10 {
		var exprs []hunt.Expr
		for range 60 {
			exprs = append(exprs, hunttest.RandomExprOver(rng, columns, rec))
		}
		n, _ := c.check(w, exprs, states)
		exact += n
	}
	if exact < 300 {
		c.t.Errorf("%d conditions were exact; that proves little: %v", exact, states)
	}
}

func documents(class *ocsf.Class, rec arrow.RecordBatch) [][]byte {
	e := newEncoder(class, rec.Schema())
	e.bind(rec)
	out := make([][]byte, rec.NumRows())
	for i := range out {
		out[i] = e.append(nil, i)
	}
	return out
}

// TestTranslations holds translations to Match on real nodes of every product.
func TestTranslations(t *testing.T) {
	for _, p := range node.Products() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, p)
			run := func(name string, f func(*cluster)) {
				t.Run(name, func(t *testing.T) { f(&cluster{t: t, url: c.url, ignored: c.ignored}) })
			}
			run("own documents", func(c *cluster) { c.sound(12 * time.Second) })
			run("floats", (*cluster).floats)
			run("extremes", (*cluster).extremes)
			for _, name := range []string{"ecs", "winlogbeat"} {
				run(name, func(c *cluster) { c.foreign(newForeignWorld(c.t, name, c.ignored), 5*time.Second) })
			}
			if c.ignored {
				run("OCSF of others", (*cluster).ocsf)
			}
		})
	}
}

// sound writes random and hostile events of every class and asks random conditions: what comes back holds all rows that Match selects, and
// where the dispositions say that nothing is left to check exactly these. Every class is asked once, and again until the time is over.
func (c *cluster) sound(limit time.Duration) {
	const each = 12
	rng := rand.New(rand.NewPCG(3, 5))
	until := time.Now().Add(limit)
	states := map[hunt.Disposition]int{}
	n, exact, pushed := 0, 0, 0
	list := []written{}
	for round := 0; round == 0 || time.Now().Before(until); round++ {
		for i := range ocsf.Classes() {
			class := &ocsf.Classes()[i]
			if round == 0 {
				list = append(list, c.write(rng, class, 120, hunttest.Untimed()))
			} else if time.Now().After(until) {
				break
			}
			var exprs []hunt.Expr
			for range each {
				exprs = append(exprs, hunttest.RandomExpr(rng, class, list[i].rec))
			}
			e, p := c.check(list[i], exprs, states)
			n, exact, pushed = n+each, exact+e, pushed+p
		}
	}
	c.t.Logf("%d conditions, %d of them exact, %d narrowed; predicates %v", n, exact, pushed, states)
	if exact == 0 || pushed == exact || states[hunt.Widened] == 0 || states[hunt.Local] == 0 {
		c.t.Errorf("that proves little")
	}
}

// extremes asks what is as large as a query is allowed to be.
func (c *cluster) extremes() {
	class := ocsf.ByName("file_activity")
	w := c.write(rand.New(rand.NewPCG(41, 42)), class, 60)
	text := func(op hunt.Op, path string, args ...string) hunt.Expr {
		var list []hunt.Value
		for _, a := range args {
			list = append(list, hunt.String(a))
		}
		return predicateOf(c.t, class, path, op, false, list...)
	}
	many := func(format string, n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf(format, i)
		}
		return out
	}
	deep := text(hunt.Contains, "file.hashes.value", "a")
	for range deepest {
		deep = hunt.Not{Expr: hunt.Or{deep}}
	}
	wide := text(hunt.StartsWith, "file.hashes.value", "a")
	for i := range deepest - 1 {
		if list := []hunt.Expr{wide, text(hunt.Eq, "file.name", "x")}; i%2 == 0 {
			wide = hunt.Or(list)
		} else {
			wide = hunt.And(list)
		}
	}
	exprs := []hunt.Expr{
		deep, wide, text(hunt.In, "file.path", many("%d", 70_000)...), text(hunt.In, "file.name", many("a%d", 70_000)...), text(hunt.In, "file.ext", many("a%d", 440)...),
		text(hunt.In, "file.ext", many("\u00e9%d", 200)...),
	}
	for _, op := range []hunt.Op{hunt.Eq, hunt.Contains, hunt.StartsWith, hunt.EndsWith, hunt.LikeOp, hunt.RegexOp} {
		for _, unit := range []string{"x", "ab", "\u00e9", "\u6f22", "\U0001f600", "a\u00e9", "aaaaaaaaaaaaaab"} {
			for _, n := range []int{mostRunes - 1, mostRunes, 300, 1001, 9000} {
				exprs = append(exprs, text(op, "file.path", strings.Repeat(unit, n/len([]rune(unit))+1)))
			}
		}
	}
	for _, p := range []string{"*a??????b*", "*a???????b*", "*" + strings.Repeat("a?", 200) + "*", strings.Repeat("*a", 200), strings.Repeat("*abababab", 30), strings.Repeat("?", 500), "*" + strings.Repeat("?", 500),
		strings.Repeat("*a?b", 6), strings.Repeat("*aaaaaaaaaaaaaaaaaaaaaaaaa", 6), "*\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9*"} {
		exprs = append(exprs, text(hunt.LikeOp, "file.path", p))
	}
	for part := range slices.Chunk(exprs, 20) {
		c.check(w, part, map[hunt.Disposition]int{})
	}
}

// check compares answers with Match.
func (c *cluster) check(w written, exprs []hunt.Expr, states map[hunt.Disposition]int) (exact, pushed int) {
	c.t.Helper()
	var list [][]nativeSearch
	var dispositions [][]hunt.Disposed
	ranges := []hunt.TimeRange{hunttest.Always(), hunttest.Window()}
	for i, e := range exprs {
		r := hunt.Request{Stream: "s", Class: w.source.stream.Class, Range: ranges[i%2], Where: e}
		searches, disposed, err := w.source.translate(r)
		if err != nil {
			c.t.Fatal(err)
		}
		list, dispositions = append(list, searches), append(dispositions, disposed)
	}
	for i, got := range c.search(list) {
		for _, d := range dispositions[i] {
			states[d.Disposition]++
		}
		tr := &hunt.Translation{Predicates: dispositions[i]}
		residual := hunt.Residual(exprs[i], tr.Of())
		want := hunttest.Expect(w.rec, exprs[i], ranges[i%2])
		slices.Sort(want)
		rest := slices.DeleteFunc(slices.Clone(got), func(row int) bool { return !residual.Match(vector.Row{Record: w.rec, Index: row}) })
		if !slices.Equal(rest, want) {
			c.t.Errorf("%s: %s\nresidual %s\nrows %v, want %v\n%s", w.source.stream.Class.Name, cut(exprs[i].String()), cut(residual.String()), rest, want, cut(queries(list[i])))
			c.t.FailNow()
		}
		if hunt.IsTrue(residual) {
			exact++
		}
		if len(got) < int(w.rec.NumRows())/2 {
			pushed++
		}
		for _, s := range list[i] {
			if s.Exact != hunt.IsTrue(residual) {
				c.t.Fatalf("a search says exact %t, the dispositions %t", s.Exact, hunt.IsTrue(residual))
			}
		}
	}
	return exact, pushed
}

func queries(list []nativeSearch) string {
	var b strings.Builder
	for _, s := range list {
		b.Write(s.Query)
	}
	return b.String()
}

func cut(s string) string {
	const most = 3000
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
