package vector

import (
	"slices"
	"sort"
)

// automaton finds out whether a text holds any of a list of keywords, in one pass over the text, after Aho and Corasick, "Efficient
// string matching: an aid to bibliographic search", Communications of the ACM 18(6), 1975. It is a trie of the keywords in which
// each state knows the longest other state that ends in the same bytes, its failure state: where the text leaves the trie, the
// search goes on there and never goes back in the text.
//
// It differs from the textbook in what it leaves out and in how it is stored:
//   - It says only whether a keyword occurs, so that a state is a match or not, and the search ends at the first match. States
//     beyond a match are not made.
//   - Bytes are put into classes: one for each byte that occurs in a keyword (one for both cases of a letter if case does not count,
//     so that the text need not be folded first), and class 0 for all others.
//   - States are numbered breadth first, so that the children of one are neighbours, and the shallow states, where a search spends
//     its time, come first. These have a row of transitions, one per class, as long as the rows fit denseBytes. States beyond that
//     are followed by their edges and failure states, which take 10 bytes each.
//
// Building takes time and memory in proportion to the bytes of the keywords, once they are sorted. An automaton does not change after
// it was built, so it is safe for concurrent use.
type automaton struct {
	class   [256]uint16
	classes uint32
	// next has a row of classes transitions for each of the first rows states. A transition is a place: of a state with a row, the
	// start of its row in next; of one without, deep and up; or match.
	next []uint32
	rows uint32
	deep uint32
	trie trie
}

// trie is the part of an automaton that grows with the keywords alone.
type trie struct {
	first []uint32 // the first child of each state; the others follow it, up to the first child of the next state
	fail  []uint32 // the failure state of each state, or match
	label []uint16 // the class by which each state is entered
}

const (
	// denseBytes bounds the memory of an automaton's rows.
	denseBytes = 8 << 20
	// match is the place of every state in which a keyword ends.
	match = ^uint32(0)
)

// newAutomaton builds the automaton of at least one keyword, none of them empty. With fold set the keywords are in lower case and
// ASCII, and letters of the text count as their lower case.
func newAutomaton(keywords []string, fold bool) *automaton {
	keywords = slices.Clone(keywords)
	slices.Sort(keywords)
	a := &automaton{}
	a.classify(keywords, fold)
	a.grow(keywords)
	a.fill()
	return a
}

// classify numbers the bytes of the keywords upwards.
func (a *automaton) classify(keywords []string, fold bool) {
	var used [256]bool
	for _, k := range keywords {
		for i := range len(k) {
			used[k[i]] = true
		}
	}
	a.classes = 1
	for b, on := range used {
		if on {
			a.class[b] = uint16(a.classes)
			a.classes++
		}
	}
	if fold {
		for b := 'A'; b <= 'Z'; b++ {
			a.class[b] = a.class[b+'a'-'A']
		}
	}
}

// span is the sorted keywords that lie below a state; none below a match.
type span struct{ from, to uint32 }

// grow makes the states level by level: those of one level are the different beginnings of one length.
func (a *automaton) grow(keywords []string) {
	t, most := &a.trie, 2
	for _, k := range keywords {
		most += len(k)
	}
	t.first, t.fail, t.label = make([]uint32, 0, most), make([]uint32, 1, most), make([]uint16, 1, most)
	level := []span{{0, uint32(len(keywords))}}
	for depth := 0; len(level) > 0; depth++ {
		var below []span
		for _, s := range level {
			below = a.expand(keywords, s, depth, below)
		}
		level = below
	}
	t.first = append(t.first, uint32(len(t.fail)))
}

// expand makes the children of the next state that has none yet and appends their keywords to below.
func (a *automaton) expand(keywords []string, s span, depth int, below []span) []span {
	t := &a.trie
	state := uint32(len(t.first))
	t.first = append(t.first, uint32(len(t.fail)))
	for from := s.from; from < s.to; {
		b := keywords[from][depth]
		to := from + 1
		for to < s.to && keywords[to][depth] == b {
			to++
		}
		class := a.class[b]
		fail := t.failure(state, class)
		child := span{from, to}
		if len(keywords[from]) == depth+1 || t.fail[fail] == match {
			fail, child = match, span{}
		}
		t.fail, t.label = append(t.fail, fail), append(t.label, class)
		below = append(below, child)
		from = to
	}
	return below
}

// failure returns the failure state of the child that state is about to get for class. It lies on a higher level than the child, so
// it is there; and states above state have all their children.
func (t *trie) failure(state uint32, class uint16) uint32 {
	for state != 0 {
		state = t.fail[state]
		if c := t.child(state, class); c != 0 {
			return c
		}
	}
	return 0
}

// child returns the child of a state for a class, 0 if it has none.
func (t *trie) child(state uint32, class uint16) uint32 {
	from, to := t.first[state], t.first[state+1]
	if to-from <= 8 {
		for c := from; c < to; c++ {
			if t.label[c] == class {
				return c
			}
		}
		return 0
	}
	labels := t.label[from:to]
	i := sort.Search(len(labels), func(i int) bool { return labels[i] >= class })
	if i < len(labels) && labels[i] == class {
		return from + uint32(i)
	}
	return 0
}

// fill makes the rows: that of a state is the row of its failure state with its own children put in.
func (a *automaton) fill() {
	t := &a.trie
	states := uint32(len(t.fail))
	a.rows = min(states, denseBytes/4/a.classes)
	a.deep = a.rows * a.classes
	a.next = make([]uint32, a.deep)
	for s := range a.rows {
		if t.fail[s] == match {
			continue
		}
		row := a.next[s*a.classes:][:a.classes]
		if s > 0 {
			copy(row, a.next[t.fail[s]*a.classes:])
		}
		for c := t.first[s]; c < t.first[s+1]; c++ {
			row[t.label[c]] = a.place(c)
		}
	}
	if a.rows == states {
		a.trie = trie{}
	}
}

// place returns how transitions write a state.
func (a *automaton) place(state uint32) uint32 {
	switch {
	case a.trie.fail[state] == match:
		return match
	case state < a.rows:
		return state * a.classes
	}
	return a.deep + state - a.rows
}

// step returns the place after a byte of the class, from a place of a state without a row.
func (a *automaton) step(place uint32, class uint16) uint32 {
	state := place - a.deep + a.rows
	for state >= a.rows {
		if c := a.trie.child(state, class); c != 0 {
			return a.place(c)
		}
		state = a.trie.fail[state]
	}
	return a.next[state*a.classes+uint32(class)]
}

// find says whether a keyword of a occurs in text.
func find[T string | []byte](a *automaton, text T) bool { return findFrom(a, text, 0) }

// findFrom goes on from a place with the rest of a text.
func findFrom[T string | []byte](a *automaton, text T, at uint32) bool {
	next, deep := a.next, a.deep
	for i := 0; i < len(text) && at != match; i++ {
		class := a.class[text[i]]
		if at < deep {
			at = next[at+uint32(class)]
		} else {
			at = a.step(at, class)
		}
	}
	return at == match
}

// findPair is find for two texts at once. Each transition waits for the one before it, so that a second search beside the first
// costs the processor almost nothing.
func (a *automaton) findPair(s, t string) (inS, inT bool) {
	next, deep, x, y := a.next, a.deep, uint32(0), uint32(0)
	n, i := min(len(s), len(t)), 0
	for i < n && x < deep && y < deep {
		x, y = next[x+uint32(a.class[s[i]])], next[y+uint32(a.class[t[i]])]
		i++
	}
	return findFrom(a, s[i:], x), findFrom(a, t[i:], y)
}
