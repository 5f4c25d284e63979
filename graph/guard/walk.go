package guard

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// walker counts a document as if every spread were replaced by its fragment. Each step
// adds to fields, so it stops after Limits.Fields steps whatever the fragments multiply to.
type walker struct {
	limits    Limits
	fragments map[string]*ast.FragmentDefinition
	reached   map[*ast.FragmentDefinition]bool // spread at least once
	open      map[*ast.FragmentDefinition]bool // being expanded now; a spread of itself is skipped
	variants  map[condition]int

	fields, aliases, comparisons int
}

// condition is a type condition inside another chain of conditions.
type condition struct {
	outer int
	on    string
}

// path is one response path: how often it was selected, and the paths below it.
type path struct {
	selected  int
	byVariant map[int]int
	below     map[string]*path
}

// place is where a selection set stands.
type place struct {
	path    *path
	depth   int // fields above, plus one
	variant int // chain of type conditions from the root
}

func (l Limits) walk(doc *ast.QueryDocument) *gqlerror.Error {
	w := newWalker(l, doc)
	for _, op := range doc.Operations {
		root := &path{}
		if err := w.set(op.SelectionSet, place{root, 1, 0}); err != nil {
			return err
		}
		if err := l.mutations(op, root); err != nil {
			return err
		}
	}
	for _, f := range doc.Fragments {
		if w.reached[f] {
			continue // counted where it was spread
		}
		if err := w.set(f.SelectionSet, place{&path{}, 1, 0}); err != nil {
			return err
		}
	}
	return nil
}

func newWalker(l Limits, doc *ast.QueryDocument) *walker {
	w := &walker{
		limits:    l,
		fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)),
		reached:   map[*ast.FragmentDefinition]bool{},
		open:      map[*ast.FragmentDefinition]bool{},
		variants:  map[condition]int{},
	}
	for _, f := range doc.Fragments {
		if w.fragments[f.Name] == nil { // the first wins, as in gqlparser
			w.fragments[f.Name] = f
		}
	}
	return w
}

func (l Limits) mutations(op *ast.OperationDefinition, root *path) *gqlerror.Error {
	if op.Operation != ast.Mutation {
		return nil
	}
	n := len(root.below)
	if root.below["__typename"] != nil {
		n--
	}
	if n > l.Mutations {
		return exceeded(excess{"mutations in one request", l.Mutations, n}, op.Position)
	}
	return nil
}

func (w *walker) set(s ast.SelectionSet, at place) *gqlerror.Error {
	for _, sel := range s {
		if err := w.selection(sel, at); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) selection(sel ast.Selection, at place) *gqlerror.Error {
	w.fields++
	if w.fields > w.limits.Fields {
		return exceeded(excess{"expanded fields", w.limits.Fields, w.fields}, sel.GetPosition())
	}
	switch sel := sel.(type) {
	case *ast.Field:
		return w.field(sel, at)
	case *ast.InlineFragment:
		return w.set(sel.SelectionSet, w.narrow(at, sel.TypeCondition))
	case *ast.FragmentSpread:
		return w.spread(sel, at)
	}
	return nil
}

func (w *walker) field(f *ast.Field, at place) *gqlerror.Error {
	if f.Alias != f.Name {
		w.aliases++
	}
	here := at.path.child(f.Alias)
	w.comparisons += here.selected
	here.selected++
	here.byVariant[at.variant]++
	if x := w.excess(here, at); x.limit != "" {
		return exceeded(x, f.Position)
	}
	return w.set(f.SelectionSet, place{here, at.depth + 1, at.variant})
}

func (w *walker) excess(here *path, at place) excess {
	switch l := w.limits; {
	case at.depth > l.Depth:
		return excess{"depth of fields", l.Depth, at.depth}
	case w.aliases > l.Aliases:
		return excess{"aliases", l.Aliases, w.aliases}
	case here.byVariant[at.variant] > l.SameKey:
		return excess{"repetitions of one response key", l.SameKey, here.byVariant[at.variant]}
	case w.comparisons > l.Comparisons:
		return excess{"comparisons of repeated keys", l.Comparisons, w.comparisons}
	}
	return excess{}
}

// spread expands a fragment in place. Unknown and circular spreads are left to
// validation, which names them.
func (w *walker) spread(s *ast.FragmentSpread, at place) *gqlerror.Error {
	f := w.fragments[s.Name]
	if f == nil || w.open[f] {
		return nil
	}
	w.reached[f] = true
	w.open[f] = true
	defer delete(w.open, f)
	return w.set(f.SelectionSet, w.narrow(at, f.TypeCondition))
}

// narrow enters a type condition. Fields under different conditions are counted apart
// for SameKey, because a selection over all event classes repeats `time` once per class.
func (w *walker) narrow(at place, on string) place {
	if on == "" {
		return at
	}
	c := condition{at.variant, on}
	if w.variants[c] == 0 {
		w.variants[c] = len(w.variants) + 1
	}
	at.variant = w.variants[c]
	return at
}

func (p *path) child(key string) *path {
	if c := p.below[key]; c != nil {
		return c
	}
	if p.below == nil {
		p.below = map[string]*path{}
	}
	c := &path{byVariant: map[int]int{}}
	p.below[key] = c
	return c
}
