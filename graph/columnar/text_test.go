package columnar_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/harrier-xdr/harrier/graph/columnar"
)

// check writes s and reads it back: JSON in UTF-8 on one line, and every byte that is no UTF-8 as U+FFFD.
func check(t *testing.T, s string) {
	t.Helper()
	const before = "x:"
	text := columnar.AppendString([]byte(before), s)
	if string(text[:len(before)]) != before {
		t.Fatalf("what was there before %.60q is lost", s)
	}
	text = text[len(before):]
	var got string
	if err := json.Unmarshal(text, &got); err != nil || !utf8.Valid(text) {
		t.Fatalf("%.60q is written as %.80q: %v", s, text, err)
	}
	if want := string([]rune(s)); got != want {
		t.Fatalf("%.60q reads %.60q", want, got)
	}
	if strings.ContainsFunc(string(text), func(r rune) bool { return r < ' ' }) {
		t.Fatalf("%.60q has a control character", text)
	}
}

// TestAppendStringAtEveryPlace puts every byte, and runes that are cut, at every place of a word of eight bytes and beyond.
func TestAppendStringAtEveryPlace(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			s := strings.Repeat("a", at) + string([]byte{byte(c)}) + strings.Repeat("b", 19-at)
			check(t, s)
			check(t, s[:at+1])
			check(t, s[:at+1]+"\u20ac"+s[at+1:])
		}
	}
	for _, r := range []string{"\u20ac", "\U0001f600", "\u2028", "\u00e9", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80"} {
		for at := range 20 {
			for cut := range len(r) + 1 {
				check(t, strings.Repeat("a", at)+r[:cut])
				check(t, strings.Repeat("a", at)+r[:cut]+strings.Repeat(r, 3)+"\"")
			}
		}
	}
}

func TestAppendStringLeavesMarkupAlone(t *testing.T) {
	if got := string(columnar.AppendString(nil, `<a href="x">&é`+"\u2028")); got != `"<a href=\"x\">&é`+"\u2028"+`"` {
		t.Errorf("written as %s", got)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain text", "\xff\"\\\n\x00", "12345678\xe2\x82", "\u2028\U0001f600"} {
		f.Add(s)
	}
	f.Fuzz(check)
}
