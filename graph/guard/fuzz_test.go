package guard_test

import (
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/harrier-xdr/harrier/graph/guard"
)

// small limits let short inputs reach every limit.
func small() guard.Limits {
	return guard.Limits{
		Bytes: 400, Tokens: 80, Nesting: 8, NameBytes: 20, Depth: 4, Fields: 12, SameKey: 2,
		Comparisons: 6, Aliases: 3, Directives: 3, Mutations: 1, VariableDepth: 4, VariableValues: 10,
	}
}

func FuzzDocument(f *testing.F) {
	for _, a := range attacks() {
		if len(a.text) < 1<<12 {
			f.Add(a.text)
		}
	}
	for _, text := range accepted() {
		f.Add(text)
	}
	f.Add("{a...f}fragment f on Q{a...g}fragment g on Q{b:a @d}")
	f.Add("{a{b c}a{b}}")
	f.Add("{...f}fragment f on Q{c{...f}a{...g}}fragment g on I{...on R{b}...f}")
	f.Add("query($v:[[Int]]=[[1]]){a(x:{a:{b:$v}}){i{...on Q{b}}}}")
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: "schema{query:Q} type Q implements I{a(x:In):Q b:Int c:[Q!] i:I} type R implements I{b:Int c:[Q!]} interface I{b:Int c:[Q!]} input In{a:In b:[[Int]]}"})
	f.Fuzz(func(t *testing.T, text string) {
		l := small()
		if l.Document(text) != nil {
			return
		}
		doc, err := parser.ParseQuery(&ast.Source{Input: text})
		if err != nil {
			t.Fatalf("accepted what does not parse: %v", err)
		}
		if got := lexical(t, text); got.tokens > l.Tokens || got.deepest > l.Nesting || got.at > l.Directives || got.name > l.NameBytes || len(text) > l.Bytes {
			t.Fatalf("accepted over a lexical limit: %+v", got)
		}
		o := oracle{fragments: doc.Fragments}
		for _, op := range doc.Operations {
			o.flatten(op.SelectionSet, "", 1, nil)
		}
		if o.fields > l.Fields || o.aliases > l.Aliases || o.depth > l.Depth {
			t.Fatalf("accepted over a limit: %+v", o)
		}
		validator.ValidateWithRules(schema, doc, guard.Rules()) // must neither panic nor hang
	})
}

type lexicalCounts struct{ tokens, deepest, at, name int }

func lexical(t *testing.T, text string) (c lexicalCounts) {
	depth := 0
	for lex := lexer.New(&ast.Source{Input: text}); ; {
		token, err := lex.ReadToken()
		if err != nil {
			t.Fatal(err)
		}
		switch token.Kind {
		case lexer.EOF:
			return c
		case lexer.BraceL, lexer.BracketL, lexer.ParenL:
			depth++
		case lexer.BraceR, lexer.BracketR, lexer.ParenR:
			depth--
		case lexer.At:
			c.at++
		case lexer.Name:
			c.name = max(c.name, len(token.Value))
		}
		c.tokens++
		c.deepest = max(c.deepest, depth)
	}
}

// oracle expands a document the plain way, which is exponential in general; on documents
// that the guard accepted it must be small, or the guard is wrong.
type oracle struct {
	fragments              ast.FragmentDefinitionList
	fields, aliases, depth int
}

func (o *oracle) flatten(set ast.SelectionSet, path string, depth int, open []string) {
	for _, sel := range set {
		if o.fields > 1000 {
			return
		}
		o.fields++
		switch sel := sel.(type) {
		case *ast.Field:
			o.depth = max(o.depth, depth)
			if sel.Alias != sel.Name {
				o.aliases++
			}
			o.flatten(sel.SelectionSet, path+"/"+sel.Alias, depth+1, open)
		case *ast.InlineFragment:
			o.flatten(sel.SelectionSet, path, depth, open)
		case *ast.FragmentSpread:
			o.spread(sel, path, depth, open)
		}
	}
}

func (o *oracle) spread(s *ast.FragmentSpread, path string, depth int, open []string) {
	for _, name := range open {
		if name == s.Name {
			return
		}
	}
	if def := o.fragments.ForName(s.Name); def != nil {
		o.flatten(def.SelectionSet, path, depth, append(open[:len(open):len(open)], s.Name))
	}
}
