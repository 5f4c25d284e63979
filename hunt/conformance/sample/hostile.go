package sample

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Window returns the range whose edges the times of random batches lie on: some rows at its first microsecond, some at its last,
// some just outside on both sides.
func Window() hunt.TimeRange {
	const start = 1_767_322_800_000_000 // 2026-01-02T03:00:00Z
	return hunt.TimeRange{Start: start, End: start + 3_600_000_000}
}

// Always returns a range that holds every time of a random batch: the years 1 to 9999, which every engine can express.
func Always() hunt.TimeRange {
	return hunt.TimeRange{Start: -62_135_596_800_000_000, End: 253_402_300_800_000_000}
}

// longText is a text of 64 KB with something to find at its end.
func longText() string { return strings.Repeat("0123456789abcde ", 4096) + "Needle" }

// plainTexts are values as telemetry has them.
func plainTexts() []string {
	return []string{
		`C:\Windows\System32\cmd.exe`, `powershell.exe -NoProfile -enc SQBFAFgA`, `svchost.exe`, `SVCHOST.EXE`, `Administrator`,
		`/usr/bin/bash`, `10.0.0.1`, `www.example.com`, `d41d8cd98f00b204e9800998ecf8427e`, `KERBEROS`, `kerberos`, `-`,
	}
}

// hostileTexts are values that evaluations get wrong: folding, bytes that are no UTF-8, patterns, quotes, control characters.
func hostileTexts() []string {
	return []string{
		"", " ", "k", "K", "\u212a", "\u212aerberos", "\u0130stanbul", "i\u0307stanbul", "istanbul", "\u0131", "\u00df", "\u1e9e",
		"ss", "SS", "\u017f", "\u03a3", "\u03c3", "\u03c2", "\u1f48\u0394\u03a5\u03a3\u03a3\u0395\u038e\u03a3", "\u01c4", "\u01c5", "\u01c6",
		"\u023a", "\u2c65", "\u212b", "\u00c5", "e\u0301", "\u00e9", "\u00c9", "\u202egnp.exe", "\U0001f600", "\U00010400", "\U00010428",
		"\ufeffbom", "\ufffd", "\u20ac", "\xff\xfe", "a\xe2\x82", "\x82", "abc\xc3", "\xc3\x28", "\xed\xa0\x80",
		"\x00", "a\x00b", "%", "_", `\`, `\\`, "*", "?", `100%_*?\`, `a\*b`, "a%b", "a_b", "a\nb", "\r\n", "a\tb", "'", `"`, "`",
		"' OR 1=1 --", "$^.()|+{}[]", "@", "[", "{", "null", "(empty)", "true", "0", "\u2028", "a\u0000", "Z", "z",
		"\xed\xa0\xbd\xed\xb8\x80", `\ud83d\ude00`, "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u1112\u1161\u11ab", "\ud55c", "o\u0323\u0302", "\u1ed9",
		"[a-z]*", `c:\*`, "<script>", "AND", "a AND b", "/a/", "~1", ">=0", "${x}", "{{x}}", "\x1b[31m", "\x7f", "\u0085", "\u00ad", "\u200b",
	}
}

// giantTexts are values around the lengths at which engines cut or do not index text: 256 and 1024 characters, 8191 characters,
// 32,766 bytes; and far beyond them. Each has something to find at its end.
func giantTexts() []string {
	out := []string{strings.Repeat("\U0001f600\u00e9", 4500) + "Needle"}
	for _, n := range []int{255, 256, 257, 1024, 1025, 8191, 8192, 9000, 32_766, 32_767, 40_000, 1 << 20} {
		out = append(out, strings.Repeat("0123456789abcdE ", n/16+1)[:n-6]+"Needle")
	}
	return out
}

// hostileInts are numbers at the edges of 32 and 64 bits and of what a float64 can count.
func hostileInts(t ocsf.Type) []int64 {
	if t == ocsf.Int {
		return []int64{0, 1, -1, 4, 443, 4624, math.MaxInt32, math.MinInt32, math.MaxInt32 - 1, 65535, 65536}
	}
	return []int64{0, 1, -1, 443, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1<<53 + 1, 1 << 53, 1<<53 - 1, -(1<<53 + 1), math.MaxInt32 + 1}
}

// hostileFloats are numbers at the edges of float64; no NaN, which no source can send as a number.
func hostileFloats() []float64 {
	return []float64{0, math.Copysign(0, -1), 0.1, -0.1, 1, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1)}
}

// hostileTimes are instants outside of what some engines can hold; the column time has none of them.
func hostileTimes() []int64 {
	w := Window()
	return []int64{0, 1, -1, w.Start, w.Start - 1, w.End, w.End - 1, 253_402_300_799_999_999, -62_135_596_800_000_000}
}

// eventTimes are instants of events before 1970 and at the ends of what four digits of a year can say.
func eventTimes() []int64 {
	return []int64{-1, 0, -11_644_473_600_000_000, -62_135_596_800_000_000, 253_402_300_799_999_999, 4_102_444_800_000_000}
}

// addresses covers every scope and the edges of both families.
func addresses() []string {
	return []string{
		"0.0.0.0", "255.255.255.255", "10.0.0.1", "10.255.255.255", "11.0.0.0", "172.16.0.1", "172.32.0.0", "192.168.1.1", "127.0.0.1",
		"169.254.1.1", "224.0.0.1", "8.8.8.8", "::", "::1", "::ffff:10.0.0.1", "::10.0.0.1", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1",
		"2001:db8::ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::fffe:ffff:ffff", "::1:0:0:0",
	}
}

// blocks are address blocks: with host bits set, of one address, of everything, and the mapped range written both ways.
func blocks() []string {
	return []string{
		"0.0.0.0/0", "::/0", "::ffff:0:0/96", "::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3/8", "10.0.0.1/32", "10.0.0.0/31", "172.16.0.0/12",
		"255.255.255.255/32", "::/128", "::1/128", "2001:db8::/32", "2001:db8::ffff/113", "ff00::/8", "8000::/1", "::/1", "0.0.0.0/1", "128.0.0.0/1",
	}
}

// HostileArgs returns the arguments of an operator on a column that evaluations get wrong: for text those of every length as well, and
// for the wildcards of like both as they are and as what they escape. Some are refused by NewPredicate.
func HostileArgs(col *ocsf.Column, op hunt.Op) []hunt.Value {
	switch {
	case op == hunt.CIDR:
		return values(blocks(), hunt.String)
	case op == hunt.Scope:
		return values(hunt.ScopeNames(), hunt.String)
	case op == hunt.Exists:
		return []hunt.Value{hunt.Bool(true), hunt.Bool(false)}
	}
	switch col.Type {
	case ocsf.String, ocsf.JSON:
		return values(textArgs(op), hunt.String)
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		return values(hostileInts(ocsf.Long), hunt.Int)
	case ocsf.Float:
		return values(append(hostileFloats(), math.NaN()), hunt.Float)
	case ocsf.Time:
		return values(append(hostileTimes(), math.MinInt64, math.MaxInt64), hunt.Time)
	case ocsf.IP:
		return values(addresses(), func(text string) hunt.Value { return hunt.IP(netip.MustParseAddr(text)) })
	}
	return []hunt.Value{hunt.Bool(true), hunt.Bool(false)}
}

func values[T any](list []T, value func(T) hunt.Value) []hunt.Value {
	out := make([]hunt.Value, len(list))
	for i, v := range list {
		out[i] = value(v)
	}
	return out
}

func textArgs(op hunt.Op) []string {
	texts := append(hostileTexts(), giantTexts()...)
	switch op {
	case hunt.RegexOp:
		return append(hostileRegexes(), "Needle$", "(?i)needle", "^0123456789")
	case hunt.LikeOp:
		for _, s := range hostileTexts() {
			texts = append(texts, likeEscape(s), "*"+likeEscape(s)+"*")
		}
	case hunt.EndsWith, hunt.Contains:
		texts = append(texts, "Needle", "needle", "E Needle")
	}
	return texts
}

// randomValue makes a value of a column, the zero Value in about one case of seven.
func randomValue(rng *rand.Rand, col *ocsf.Column) hunt.Value {
	if rng.IntN(7) == 0 {
		return hunt.Value{}
	}
	return presentValue(rng, col)
}

func presentValue(rng *rand.Rand, col *ocsf.Column) hunt.Value {
	switch col.Type {
	case ocsf.Int, ocsf.Long:
		return hunt.Int(randomInt(rng, col.Type))
	case ocsf.Enum:
		return hunt.Int(randomEnum(rng, col.Enum))
	case ocsf.Float:
		return hunt.Float(pick(rng, hostileFloats()))
	case ocsf.Boolean:
		return hunt.Bool(rng.IntN(2) == 0)
	case ocsf.Time:
		return hunt.Time(randomTime(rng))
	case ocsf.IP:
		return hunt.IP(randomIP(rng))
	case ocsf.JSON:
		return hunt.String(randomJSON(rng))
	}
	return hunt.String(randomText(rng))
}

func randomText(rng *rand.Rand) string {
	switch rng.IntN(5) {
	case 0, 1:
		return pick(rng, plainTexts())
	case 2:
		return pick(rng, plainTexts()) + pick(rng, hostileTexts())
	case 3:
		return pick(rng, hostileTexts()) + pick(rng, hostileTexts())
	}
	return pick(rng, hostileTexts())
}

func randomJSON(rng *rand.Rand) string {
	text, err := json.Marshal(map[string]any{"Key": randomText(rng), "n": rng.IntN(3)})
	if err != nil || rng.IntN(8) == 0 {
		return "{}"
	}
	return string(text)
}

func randomInt(rng *rand.Rand, t ocsf.Type) int64 {
	if rng.IntN(2) == 0 {
		return rng.Int64N(20)
	}
	return pick(rng, hostileInts(t))
}

// randomEnum returns a number of the table or one that it does not list.
func randomEnum(rng *rand.Rand, table *ocsf.EnumTable) int64 {
	if table == nil || rng.IntN(8) == 0 {
		return 4711
	}
	return pick(rng, table.Values).ID
}

// randomTime returns an instant of the window in whole seconds, so that many are equal, or a hostile one.
func randomTime(rng *rand.Rand) int64 {
	if rng.IntN(3) == 0 {
		return pick(rng, hostileTimes())
	}
	return Window().Start + rng.Int64N(60)*1_000_000
}

func randomIP(rng *rand.Rand) netip.Addr {
	if rng.IntN(4) == 0 {
		return netip.AddrFrom4([4]byte{10, 0, byte(rng.IntN(2)), byte(rng.IntN(4))})
	}
	return netip.MustParseAddr(pick(rng, addresses()))
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
