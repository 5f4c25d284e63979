package mapping

import (
	"bytes"
	"slices"

	"github.com/harrier-xdr/harrier/hunt"
)

// words is a set of texts compared as hunt.Fold does. Most sets have a few words, and most texts that are looked up have another length
// than all of them, so the lengths are looked at first and nothing is allocated.
type words struct {
	list    [][]byte // folded
	set     map[string]struct{}
	lengths uint64 // bit n: a word has n bytes; bit 63: one has 63 or more
	other   bool   // a word is not ASCII, so it may equal texts of other lengths
}

// fewWords is up to how many words are compared one by one.
const fewWords = 6

func wordsOf(list []string) words {
	w := words{}
	for _, s := range list {
		w.list = append(w.list, hunt.AppendFold(nil, s))
		w.lengths |= lengthBit(len(s))
		w.other = w.other || !hunt.IsASCII(s)
	}
	if len(list) > fewWords {
		w.set = map[string]struct{}{}
		for _, b := range w.list {
			w.set[string(b)] = struct{}{}
		}
	}
	return w
}

func lengthBit(n int) uint64 { return 1 << min(n, 63) }

// has says whether the set has the text.
func (w *words) has(b []byte) bool {
	if w.lengths&lengthBit(len(b)) == 0 && !w.other {
		return false
	}
	var buf [64]byte
	folded := hunt.AppendFold(buf[:0], b)
	if w.set != nil {
		_, ok := w.set[string(folded)]
		return ok
	}
	return slices.ContainsFunc(w.list, func(word []byte) bool { return bytes.Equal(folded, word) })
}
