package okta

import (
	"strings"
	"unicode/utf8"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// speller writes a comparison of a field with a text for a source of which it is not known whether it looks at case. A hunt mostly
// does not, so one comparison with the text as it was typed could miss events. What is written instead holds, under both readings,
// for every event that the hunt means, and for as few others as possible:
//
//   - a word of Okta's own (an event type, a result) in Okta's spelling: exact;
//   - a text without letters, or one for a field that has no upper case: exact for eq;
//   - any other text: its first (for ew its last) letters in all their spellings. That is wider even if these are all: a source that does
//     not look at case may take a Kelvin sign for a k.
type speller struct {
	model   *model
	field   field
	native  string // name of the field in the mapping
	op      mapping.TestOp
	asIs    bool // the hunt looks at case: the text as it is typed is the same or wider under both readings
	letters int  // how many letters may be spelled both ways
}

// lettersFor returns how many letters of each of n texts may be spelled both ways, so that there are at most 64 comparisons.
func lettersFor(n int) int {
	const most, spellings = 4, 64
	letters := most
	for letters > 0 && n<<letters > spellings {
		letters--
	}
	return letters
}

// spell writes the comparison with one text; exact says that it holds exactly where the test does.
func (s *speller) spell(text string) (list []clause, exact bool) {
	folded := strings.TrimSpace(hunt.Fold(text))
	if folded == "" || !utf8.ValidString(text) {
		return []clause{present(s.field.name)}, false // no LogEvent holds it, but something is there
	}
	exact = s.op == mapping.TestEq && !s.model.missing[folded]
	switch word, family := s.known(text); {
	case s.asIs:
		return s.one(s.operator(), text), false
	case word != "":
		return s.one("eq", word), exact
	case family != "":
		return s.one("sw", family), false
	case s.field.lower:
		return s.one(s.operator(), hunt.Fold(text)), exact
	}
	part, whole := s.cut(text)
	if part == "" {
		return []clause{present(s.field.name)}, false
	}
	operator := s.operator()
	if !whole && s.op == mapping.TestEq {
		operator = "sw"
	}
	for _, spelling := range spellings(part) {
		list = append(list, compare(s.field.name, operator, spelling))
	}
	return list, exact && whole && len(list) == 1
}

func (s *speller) one(operator, text string) []clause {
	return []clause{compare(s.field.name, operator, text)}
}

// known returns how Okta spells a word of its own, or the family of event types that the text is of.
func (s *speller) known(text string) (word, family string) {
	if s.op == mapping.TestEq {
		word = s.model.words[s.native][hunt.Fold(text)]
	}
	if word != "" || s.native != eventType || s.op != mapping.TestEq && s.op != mapping.TestStartsWith {
		return word, ""
	}
	for _, start := range s.model.families {
		if strings.HasPrefix(hunt.Fold(text), hunt.Fold(start)) {
			return "", start
		}
	}
	return "", ""
}

func (s *speller) operator() string {
	switch s.op {
	case mapping.TestContains:
		return "co"
	case mapping.TestStartsWith:
		return "sw"
	case mapping.TestEndsWith:
		return "ew"
	}
	return "eq"
}

// cut returns the start of a text, for ew its end, that has no more letters than may be spelled both ways and nothing outside ASCII,
// because an ASCII letter has two spellings and others may have more. whole says that nothing was cut off.
func (s *speller) cut(text string) (part string, whole bool) {
	at := func(i int) byte { return text[i] }
	if s.op == mapping.TestEndsWith {
		at = func(i int) byte { return text[len(text)-1-i] }
	}
	n, letters := 0, 0
	for n < len(text) && at(n) < utf8.RuneSelf {
		if isLetter(at(n)) {
			letters++
		}
		if letters > s.letters {
			break
		}
		n++
	}
	if s.op == mapping.TestEndsWith {
		return text[len(text)-n:], n == len(text)
	}
	return text[:n], n == len(text)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// spellings returns an ASCII text with each of its letters in both cases.
func spellings(text string) []string {
	out := []string{""}
	for i := range len(text) {
		c := text[i]
		var next []string
		for _, s := range out {
			if isLetter(c) {
				next = append(next, s+string(c|0x20), s+string(c&^0x20))
			} else {
				next = append(next, s+string(c))
			}
		}
		out = next
	}
	return out
}
