package vector_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func cmdLine() *ocsf.Column { return ocsf.ByUID(ocsf.ProcessActivity).Column("process.cmd_line") }

// textBatch has the values as command lines; every seventh row is null.
func textBatch(values []string) arrow.RecordBatch {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for i, v := range values {
		if i%7 == 6 {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "process.cmd_line", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{b.NewArray()}, int64(len(values)))
}

func textPredicate(t testing.TB, op hunt.Op, caseSensitive bool, arg string) *hunt.Predicate {
	t.Helper()
	p, err := hunt.NewPredicate(cmdLine(), op, caseSensitive, hunt.String(arg))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func keywordList(t testing.TB, caseSensitive bool, keywords []string) hunt.Or {
	t.Helper()
	list := hunt.Or{}
	for _, k := range keywords {
		list = append(list, textPredicate(t, hunt.Contains, caseSensitive, k))
	}
	return list
}

// sample makes texts of up to most pieces of an alphabet.
func sample(rng *rand.Rand, alphabet []string, n, most int) []string {
	out := make([]string, n)
	for i := range out {
		for range rng.IntN(most + 1) {
			out[i] += alphabet[rng.IntN(len(alphabet))]
		}
	}
	return out
}

// near is an alphabet in which everything is nearly something else.
func near() []string {
	return []string{"a", "A", "b", "B", "k", "K", "s", "\u212a", "\u017f", "\u00e9", "\u00c9", "\u0130", "\xff", "\xe2\x84", "\x00", "@", "[", "`", "{"}
}

// TestKeywordsNearEachOther compares lists of short keywords, which are beginnings and pieces of each other, with Match. Half of
// them are of two letters alone, where searches fall back most.
func TestKeywordsNearEachOther(t *testing.T) {
	rng := newRand(31)
	for round := range 600 {
		alphabet := near()
		if round%2 == 0 {
			alphabet = alphabet[:4]
		}
		rec := textBatch(sample(rng, alphabet, 40, 12))
		keywords := sample(rng, alphabet, 1+rng.IntN(1+round%20), 5)
		for i, k := range keywords {
			if k == "" && round%10 != 0 {
				keywords[i] = "a"
			}
		}
		list := keywordList(t, round%3 == 0, keywords)
		checkFilter(t, rec, list)
		checkFilter(t, rec.NewSlice(3, 30), list)
	}
}

// TestTextOperatorsNearEachOther does the same for the operators that take one text.
func TestTextOperatorsNearEachOther(t *testing.T) {
	rng := newRand(32)
	for round := range 300 {
		rec := textBatch(sample(rng, near(), 40, 8))
		for _, op := range []hunt.Op{hunt.Eq, hunt.StartsWith, hunt.EndsWith, hunt.Contains} {
			checkFilter(t, rec, textPredicate(t, op, round%2 == 0, sample(rng, near(), 1, 4)[0]))
		}
		pattern := sample(rng, append(near(), "*", "*", "*", "*", "?", `\`, "aab", "kas"), 1, 9)[0]
		checkFilter(t, rec, textPredicate(t, hunt.LikeOp, round%2 == 0, "*"+pattern+"*"))
	}
}

// TestSearchKeepsValuesApart: a needle that lies across the end of a value is in none, whatever lies around it.
func TestSearchKeepsValuesApart(t *testing.T) {
	rng := newRand(33)
	long := strings.Repeat("ab", 20_000) // more than is searched at once
	values := append(sample(rng, []string{"a", "b", "A"}, 200, 3), long, "", long+"c", "c", "ABC", "ab", "c")
	for _, rec := range []arrow.RecordBatch{textBatch(values), textBatch(values).NewSlice(11, 205), textBatch(nil), textBatch(make([]string, 9))} {
		for _, needle := range []string{"a", "ab", "aba", "bba", "abc", "abab", long, long + "c", long + long} {
			checkFilter(t, rec, textPredicate(t, hunt.Contains, true, needle))
			checkFilter(t, rec, textPredicate(t, hunt.Contains, false, needle))
		}
	}
}

// manyKeywords are distinct and long enough that their automaton is larger than its rows may be; some begin or contain others.
func manyKeywords(rng *rand.Rand, n int, letters string) []string {
	out := make([]string, n)
	for i := range out {
		k := make([]byte, 8+rng.IntN(24))
		for j := range k {
			k[j] = letters[rng.IntN(len(letters))]
		}
		out[i] = string(k)
		switch {
		case i%11 == 10:
			out[i] = out[i-1] + out[i]
		case i%13 == 12:
			out[i] = "x" + out[i-1][1:len(out[i-1])-1]
		case i%50 == 49:
			out[i] += "\u212a\u00c9"
		}
	}
	return out
}

// TestManyKeywords compares lists of up to 20,000 keywords with a plain loop over folded texts, which is what Match does. Values are
// keywords in other cases, cut or joined.
func TestManyKeywords(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, c := range []struct {
		name          string
		n             int
		letters       string
		caseSensitive bool
	}{
		{"500 folded", 500, "abcdefghijklmnopqrstuvwxyz-.0123", false}, {"500 as they are", 500, "abcdeABCDE", true},
		{"20000 folded", 20_000, "ABCDEFGHIJKLMnopqrstuvwxyz-.0123", false}, {"20000 of every byte", 20_000, string(every), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := newRand(uint64(c.n))
			keywords := manyKeywords(rng, c.n, c.letters)
			values := make([]string, 400)
			for i := range values {
				k, o := keywords[rng.IntN(c.n)], keywords[rng.IntN(c.n)]
				values[i] = []string{"__" + k + "__", k[:len(k)-1], k[:len(k)-1] + o[1:], strings.ToUpper(k), k[1:] + o[:len(o)-1], k[2:]}[i%6]
			}
			checkContains(t, values, keywords, c.caseSensitive)
		})
	}
}

func checkContains(t *testing.T, values, keywords []string, caseSensitive bool) {
	t.Helper()
	fold := hunt.Fold
	if caseSensitive {
		fold = strings.Clone
	}
	folded := make([]string, len(keywords))
	for i, k := range keywords {
		folded[i] = fold(k)
	}
	mask := vector.Compile(keywordList(t, caseSensitive, keywords)).Filter(textBatch(values))
	for i, got := range mask {
		v := fold(values[i])
		want := i%7 != 6 && slices.ContainsFunc(folded, func(k string) bool { return strings.Contains(v, k) })
		if got != want {
			t.Fatalf("row %d: Filter says %v, a loop over the keywords %v: %q", i, got, want, short(values[i]))
		}
	}
	if n := mask.Count(); n < len(values)/10 || n > len(values)*9/10 {
		t.Errorf("%d of %d values hold a keyword: too one-sided to prove anything", n, len(values))
	}
}

// TestKeywordMemory holds Compile to a bound for the longest lists that a request can carry: 1 MiB of keywords of any length.
func TestKeywordMemory(t *testing.T) {
	const listBytes, most = 1 << 20, 96 << 20
	for _, length := range []int{4, 100, listBytes / 2} {
		for _, letters := range []string{"ab", "abcdefghijklmnopqrstuvwxyz0123456789-_./", "\u00e9\u00e8\u0431x"} {
			t.Run(fmt.Sprintf("%d of %d", length, len(letters)), func(t *testing.T) {
				rng, alphabet := newRand(uint64(length)), strings.Split(letters, "")
				var keywords []string
				for range listBytes / length {
					var k strings.Builder
					for k.Len() < length {
						k.WriteString(alphabet[rng.IntN(len(alphabet))])
					}
					keywords = append(keywords, k.String())
				}
				list := keywordList(t, false, keywords)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				program := vector.Compile(list)
				runtime.ReadMemStats(&after)
				if used := after.TotalAlloc - before.TotalAlloc; used > most {
					t.Errorf("a list of %d keywords of %d bytes took %d MB to compile, want at most %d", len(keywords), length, used>>20, most>>20)
				}
				last := keywords[len(keywords)-1]
				if got := program.Filter(textBatch([]string{"x" + last + "y", "-"})); !got[0] || got[1] {
					t.Errorf("%v for a value that is the last keyword and for one that holds none", got)
				}
			})
		}
	}
}

// TestFilterAllocatesNoValues: what a search allocates does not grow with the number of values.
func TestFilterAllocatesNoValues(t *testing.T) {
	values := sample(newRand(3), []string{"Power", "shell", " -enc ", "cmd.exe", "\\"}, 2000, 9)
	rec := textBatch(values)
	for _, e := range []hunt.Expr{
		keywordList(t, false, []string{"shellcmd"}), keywordList(t, false, []string{"shellcmd", "enc", "POWERPOWER"}),
		textPredicate(t, hunt.StartsWith, false, "power"), textPredicate(t, hunt.EndsWith, false, "CMD.exe"), textPredicate(t, hunt.LikeOp, false, "*power*-ENC*"),
	} {
		program := vector.Compile(e)
		if n := testing.AllocsPerRun(5, func() { program.Filter(rec) }); n > 20 {
			t.Errorf("%s: %v allocations for %d values", e, n, len(values))
		}
	}
}

// TestRegexIsMatch compares random expressions with Match. Most require a literal, which is searched first; k and s are in many,
// because they match the Kelvin sign and the long s when case does not count.
func TestRegexIsMatch(t *testing.T) {
	rng := newRand(41)
	atoms := []string{"task", "kerb", "host", "abc", "A", "b", "c", "\u212a", "\u017f", "\u00e9", "\xff", " ", "-", "x1y"}
	selected, rows := 0, 0
	for round := range 1500 {
		values := sample(rng, append(atoms, "TASK", "\u212aerb", "ho\u017ft", "ABC", "KERB", "tas\u212a"), 30, 5)
		expression := regex(rng, atoms, 3)
		if _, err := hunt.NewPredicate(cmdLine(), hunt.RegexOp, false, hunt.String(expression)); err != nil {
			continue // such as a byte that is no UTF-8
		}
		rec, p := textBatch(values), textPredicate(t, hunt.RegexOp, round%2 == 0, expression)
		checkFilter(t, rec, p)
		selected, rows = selected+vector.Compile(p).Filter(rec).Count(), rows+len(values)
	}
	if rows == 0 || selected*20 < rows || selected*20 > rows*19 {
		t.Errorf("%d of %d rows were selected: too one-sided to prove anything", selected, rows)
	}
}

// regex makes an expression of up to depth levels.
func regex(rng *rand.Rand, atoms []string, depth int) string {
	if depth == 0 || rng.IntN(4) == 0 {
		return atoms[rng.IntN(len(atoms))]
	}
	one, two := regex(rng, atoms, depth-1), regex(rng, atoms, depth-1)
	forms := []string{
		one + two, one + "(" + two + ")", "(?:" + one + "|" + two + ")", "(?:" + one + ")+" + two, "(?:" + one + ")?" + two, one + ".*" + two,
		"(?:" + one + "){0,2}" + two, "(?:" + one + "){2}", "(?i:" + one + ")" + two, "(?-i:" + one + ")" + two, "[" + "ks" + "]" + one, "^" + one, one + "$",
		one + `\b` + two, "(?:" + one + ")*", "(?:" + one + two + "|" + one + "K)", "(?P<n" + fmt.Sprint(depth) + ">" + one + ")" + "\\x6b" + two,
	}
	return forms[rng.IntN(len(forms))]
}
