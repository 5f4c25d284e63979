package python_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/protobuf/proto"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/plugins/protocol"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// TestMeaning compares the conditions of the Python side with hunt.Expr.Match and hunt.Push, on random conditions over random and hostile
// events of several classes, and on patterns of few letters.
func TestMeaning(t *testing.T) {
	var in bytes.Buffer
	rng := rand.New(rand.NewPCG(3, 9))
	cases := 0
	for _, uid := range []int64{ocsf.ProcessActivity, ocsf.NetworkActivity, ocsf.DnsActivity, ocsf.DetectionFinding, ocsf.Authentication} {
		class := ocsf.ByUID(uid)
		rec := sample.RandomBatch(rng, class, 40)
		put(t, &in, map[string]any{"class": uid, "rows": rowsOf(class, rec)})
		for range 500 {
			cases++
			putCase(t, &in, rng, sample.RandomExpr(rng, class, rec), rec)
		}
		if uid == ocsf.Authentication {
			for _, e := range patterns(t, class) {
				cases++
				putCase(t, &in, rng, e, rec)
			}
		}
	}
	cmd := exec.Command(python(t), "testdata/meaning.py")
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var count, wrong int
	if _, err := fmt.Sscanf(lines[len(lines)-1], "%d %d", &count, &wrong); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if wrong > 0 || count < cases*9/10 {
		t.Errorf("%d of %d conditions were evaluated, %d answers are wrong:\n%.3000s", count, cases, wrong, out)
	}
}

// patterns makes `like` of few letters, so that parts of a pattern could overlap in a value.
func patterns(t *testing.T, class *ocsf.Class) []hunt.Expr {
	t.Helper()
	var out []hunt.Expr
	rng := rand.New(rand.NewPCG(1, 1))
	for range 400 {
		var b strings.Builder
		for range rng.IntN(7) {
			b.WriteByte("ks-*?\\"[rng.IntN(6)])
		}
		p, err := hunt.NewPredicate(class.Column("user.name"), hunt.LikeOp, rng.IntN(2) == 0, hunt.String(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func put(t *testing.T, to *bytes.Buffer, v any) {
	t.Helper()
	if err := json.NewEncoder(to).Encode(v); err != nil {
		t.Fatal(err)
	}
}

// putCase writes a condition, which of its predicates count as exact, and the answers.
func putCase(t *testing.T, to *bytes.Buffer, rng *rand.Rand, e hunt.Expr, rec arrow.RecordBatch) {
	t.Helper()
	raw, err := proto.Marshal(protocol.EncodeExpr(e))
	if err != nil {
		t.Fatal(err)
	}
	of, exact := map[*hunt.Predicate]hunt.Disposition{}, []bool{}
	hunt.Walk(e, func(p *hunt.Predicate) {
		of[p] = hunt.Local
		if exact = append(exact, rng.IntN(3) > 0); exact[len(exact)-1] {
			of[p] = hunt.Exact
		}
	})
	pushed := hunt.Push(e, func(p *hunt.Predicate) hunt.Disposition { return of[p] })
	put(t, to, map[string]any{"expr": hex.EncodeToString(raw), "exact": exact, "match": answers(e, rec), "push": answers(pushed, rec), "text": fmt.Sprintf("%.300q", e.String())})
}

func answers(e hunt.Expr, rec arrow.RecordBatch) string {
	var b strings.Builder
	for i := range int(rec.NumRows()) {
		if e.Match(vector.Row{Record: rec, Index: i}) {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}

// rowsOf writes rows as module expr has them.
func rowsOf(class *ocsf.Class, rec arrow.RecordBatch) []map[string]any {
	var out []map[string]any
	for i := range int(rec.NumRows()) {
		row, one := vector.Row{Record: rec, Index: i}, map[string]any{}
		for _, col := range sample.Columns(class, nil) {
			if col.List == "" {
				for _, v := range row.Values(col.Path) {
					one[col.Path] = valueOf(v)
				}
				continue
			}
			if _, done := one[col.List]; done {
				continue
			}
			elements := []map[string]any{}
			for _, e := range row.Elements(col.List) {
				object := map[string]any{}
				for _, sub := range class.List(col.List) {
					for _, v := range e.Values(sub.Path) {
						object[sub.Path] = valueOf(v)
					}
				}
				elements = append(elements, object)
			}
			if len(elements) > 0 {
				one[col.List] = elements
			}
		}
		out = append(out, one)
	}
	return out
}

func valueOf(v hunt.Value) []any {
	switch v.Kind() {
	case hunt.StringKind:
		return []any{"text", hex.EncodeToString([]byte(v.Str()))}
	case hunt.IPKind:
		ip := v.Addr16()
		return []any{"text", hex.EncodeToString(ip[:])}
	case hunt.FloatKind:
		return []any{"float", hex.EncodeToString(binary.BigEndian.AppendUint64(nil, math.Float64bits(v.Flt())))}
	case hunt.BoolKind:
		return []any{"bool", v.Num()}
	}
	return []any{"int", v.Num()}
}
