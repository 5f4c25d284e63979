package mapping

import (
	"bytes"
	"strings"
)

// words is a set of texts compared without case. Most sets have a few words, and most texts that are looked up have another length
// than all of them, so the lengths are looked at first and nothing is allocated.
type words struct {
	list    [][]byte // lower case
	set     map[string]struct{}
	lengths uint64 // bit n: a word has n bytes; bit 63: one has 63 or more
	other   bool   // a word is not ASCII, so it may equal texts of other lengths
}

// fewWords is up to how many words are compared one by one.
const fewWords = 6

func wordsOf(list []string) words {
	w := words{}
	for _, s := range list {
		w.list = append(w.list, []byte(strings.ToLower(s)))
		w.lengths |= lengthBit(len(s))
		w.other = w.other || !isASCII([]byte(s))
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
	if w.set != nil {
		var buf [64]byte
		_, ok := w.set[string(appendLower(buf[:0], b))]
		return ok
	}
	for _, word := range w.list {
		if bytes.EqualFold(b, word) {
			return true
		}
	}
	return false
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// appendLower appends b in lower case; text outside ASCII as Unicode has it.
func appendLower(dst, b []byte) []byte {
	if !isASCII(b) {
		return append(dst, bytes.ToLower(b)...)
	}
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
